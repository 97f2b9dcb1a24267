"""Whatever is wrong: one line that names field, value and rule, the right exit code, no traceback, no file left."""

import errno
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from overpaint.cli import output as output_module
from overpaint.cli.output import Target
from overpaint.core.errors import BackendError
from tests.conftest import PictureBytes
from tests.unit.cli.conftest import Ended, Overpaint

GENERATE = ("generate", "a cat", "-o", "out.png")


def complaint(ended: Ended, code: int = 2) -> str:
    """The one line on stderr, after checking everything every failure has in common."""
    assert ended.code == code, ended
    assert ended.out == ""
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert ended.err.endswith("\n")
    assert "Traceback" not in ended.err
    assert not [path.name for path in Path().iterdir() if path.name.startswith((".", "out"))]
    return ended.err.removeprefix("error: ").strip()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("generate", "", "-o", "out.png"), "prompt: '' must not be blank"),
        (
            (*GENERATE, "--weights", "int9"),
            "--weights (OVERPAINT_WEIGHTS): 'int9' must be one of bf16, fp8, int8, int4",
        ),
        (
            ("generate", "caf\udce9", "-o", "out.png"),  # Latin-1 where UTF-8 is spoken
            "prompt: \"'caf\\\\udce9'\" must be text without null and half characters",
        ),
        (("generate", " \n", "-o", "out.png"), "prompt: ' \\n' must not be blank"),
        ((*GENERATE, "--lora", "ink"), "lora: 'ink' is no file here, and OVERPAINT_ADAPTERS has nothing"),
        ((*GENERATE, "--lora", "ink:9"), "lora: 9.0 must have a scale of -4 to 4"),
        ((*GENERATE, *["--lora", "ink"] * 5), "lora: 5 are too many; give at most 4"),
        (("generate", "word " * 600, "-o", "out.png"), "prompt: '600 tokens' must be at most 512"),
        ((*GENERATE, "--size", "0x0"), "size: '0x0' must have sides above 0"),
        ((*GENERATE, "--size", "-64x64"), "size: '-64x64' must have sides above 0"),
        ((*GENERATE, "--size", "100x128"), "size: '100x128' must have sides that are multiples of 32 px (try 96x128)"),
        ((*GENERATE, "--size", "4096x4096"), "size: '4096x4096' must have sides of 64 to 3072 px"),
        ((*GENERATE, "--size", "32x32"), "size: '32x32' must have sides of 64 to 3072 px"),
        ((*GENERATE, "--size", "3072x64"), "size: '3072x64' must not be longer than 8 times its shorter side"),
        (
            (*GENERATE, "--size", "5:1"),
            "size: '5:1' must be WIDTHxHEIGHT or one of 1:1, 16:9, 9:16, 4:3, 3:4, 3:2, 2:3",
        ),
        ((*GENERATE, "--seed", "-2"), "seed: -2 must be 0 to 2147483647, or -1 for a fresh one"),
        ((*GENERATE, "--seed", "2147483648"), "seed: 2147483648 must be 0 to 2147483647, or -1 for a fresh one"),
        ((*GENERATE, "--seed", "abc"), "Invalid value for '--seed': 'abc' must be a whole number"),
        ((*GENERATE, "--steps", "0"), "steps: 0 must be 1 to 200"),
        ((*GENERATE, "--num-images", "7"), "num_images: 7 must be 1 to 6"),
        ((*GENERATE, "--true-cfg-scale", "0"), "true_cfg_scale: 0.0 must be 1 to 30"),
        ((*GENERATE, "--true-cfg-scale", "x"), "Invalid value for '--true-cfg-scale': 'x' must be a number"),
        ((*GENERATE, "--format", "bmp"), "format: 'bmp' must be one of png, jpeg, webp"),
        ((*GENERATE, "--format", "jpeg"), "format: 'jpeg' must agree with the name of the output, 'out.png'"),
        ((*GENERATE, "--quality", "0"), "quality: 0 must be 1 to 100"),
        ((*GENERATE, "--background", "red"), "background: 'red' must be one of auto, opaque, transparent"),
        (("keys", "create", "x", "--budget", "-3"), "budget: '-3' must be a number from 0 to 1000000000, or none"),
        (("keys", "create", "x", "--budget", "nan"), "budget: 'nan' must be a number from 0 to 1000000000, or none"),
        (
            ("keys", "create", "x", "--budget", "1e300"),
            "budget: '1e300' must be a number from 0 to 1000000000, or none",
        ),
        (("keys", "limit", "x", "--per-minute", "0"), "per-minute: '0' must be a number from 1 to 2147483647, or none"),
        (
            ("keys", "limit", "x", "--open-tasks", "many"),
            "open-tasks: 'many' must be a number from 1 to 2147483647, or none",
        ),
        ((*GENERATE, "--device", "gpu"), "--device (OVERPAINT_DEVICE): 'gpu' must be one of auto, cuda, mps, cpu"),
        (
            (*GENERATE, "--dtype", "int8"),
            "--dtype (OVERPAINT_DTYPE): 'int8' must be one of auto, bfloat16, float16, float32",
        ),
        ((*GENERATE, "--model", "null:x"), "model: 'null:x' must have 0 to 60 seconds a step after 'null:'"),
        (("generate", "a cat"), "Missing option '--output' / '-o'."),
        (("edit", "a cat", "-o", "out.png"), "Missing option '--image' / '-i'."),
        (("paint",), "No such command 'paint'."),
        ((*GENERATE, "--sise", "1:1"), "No such option: --sise (Possible options: --seed, --size, --steps)"),
    ],
)
def test_a_bad_flag_is_told_in_one_line(arguments: Sequence[str], line: str, overpaint: Overpaint) -> None:
    assert complaint(overpaint(*arguments)) == line


def edit(path: Path) -> tuple[str, ...]:
    return ("edit", "make it red", "-i", str(path), "-o", "out.png")


def test_a_bad_picture_is_named_by_its_place_and_its_file(
    overpaint: Overpaint, tmp_path: Path, picture_bytes: PictureBytes
) -> None:
    header = struct.pack(">2I5B", 20_000, 20_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + header
        + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )
    whole = picture_bytes("JPEG", size=(300, 300))
    cases = {
        "text.png": (b"no picture", "must be a JPEG, PNG, WebP or GIF picture"),
        "empty.png": (b"", "is empty"),
        "cut.jpg": (whole[: len(whole) // 2], "is damaged or cut off and cannot be read"),
        "dot.png": (picture_bytes(size=(1, 1)), "must have sides of at least 16 px, it is 1x1"),
        "bomb.png": (bomb, "must have at most 64 megapixels, it is 20000x20000"),
    }
    for name, (content, rule) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert complaint(overpaint(*edit(path))).endswith(rule)
        assert complaint(overpaint(*edit(path))).startswith("images[0]: ")
    assert complaint(overpaint(*edit(Path("nope.png")))) == "images[0]: 'nope.png' does not exist"
    for url in ("https://example.com/a.png", "data:image/png;base64," + "A" * 5000):
        assert complaint(overpaint(*edit(Path(url)))).endswith("is a URL, and must be a file here; download it first")


def test_standard_output_takes_one_picture_and_no_terminal(
    overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = ("generate", "a cat", "-o", "-", "--format", "png")
    assert complaint(overpaint(*printed, "-n", "2")).startswith("num_images: 2 must be 1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert complaint(overpaint(*printed)).startswith("output: '-' must not be a terminal")


def test_of_several_pictures_the_bad_one_is_named(overpaint: Overpaint, picture: Path) -> None:
    line = complaint(overpaint(*edit(picture), "-i", str(picture), "-i", "nope.png"))
    assert line.startswith("images[2]: 'nope.png'")


def test_eleven_pictures_are_too_many(overpaint: Overpaint, picture: Path) -> None:
    more = [word for _ in range(10) for word in ("-i", str(picture))]
    assert complaint(overpaint(*edit(picture), *more)) == "images: 11 are too many; give at most 10"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("missing/out.png", "must be in a folder that exists; 'missing' does not"),
        ("out.tiff", "must end in .png, .jpg, .jpeg, .webp, or --format must say what to write"),
        ("taken.png", "must be a file; something else has that name"),
        (".png", "must have a name before its ending"),
        ("-", "must end in .png, .jpg, .jpeg, .webp, or --format must say what to write"),
    ],
)
def test_an_output_that_cannot_be_is_refused(name: str, rule: str, overpaint: Overpaint) -> None:
    Path("taken.png").mkdir()
    assert complaint(overpaint("generate", "a cat", "-o", name)) == f"output: '{name}' {rule}"


def test_a_name_that_no_file_can_have_is_refused(overpaint: Overpaint) -> None:
    assert complaint(overpaint("generate", "a cat", "-o", f"{'x' * 300}.png")).endswith("must have a shorter name")


def test_a_folder_that_may_not_be_written_to_is_refused(overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(output_module.tempfile, "TemporaryFile", forbid)
    assert "must be in a folder you may write to" in complaint(overpaint(*GENERATE))


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_found_before_painting(overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_module.tempfile, "TemporaryFile", no_space)
    line = complaint(overpaint(*GENERATE, "--model", "null:60"), code=1)
    assert line == "output: 'out.png' could not be written: no space left on device; nothing was left behind"


def test_a_disk_that_fills_up_meanwhile_leaves_no_file(overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two files fails: the first must not stay behind either."""
    write_bytes = Path.write_bytes
    calls: list[Path] = []

    def fill_up(path: Path, content: bytes) -> int:
        calls.append(path)
        if len(calls) == 2:
            write_bytes(path, content[:10])
            no_space()
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    assert "no space left on device" in complaint(overpaint(*GENERATE, "-n", "2"), code=1)
    assert len(calls) == 2


def test_what_was_there_before_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(BackendError):
        Target(path, 1).write([b"new"])
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("out.png", b"precious")]


def test_a_bug_of_ours_is_told_in_one_line_too(overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("overpaint.cli.job.encode", break_down)
    line = complaint(overpaint(*GENERATE), code=1)
    assert line == "unexpected ZeroDivisionError: division by zero (OVERPAINT_DEBUG=1 shows where)"
    monkeypatch.setenv("OVERPAINT_DEBUG", "1")
    assert "Traceback" in overpaint(*GENERATE).err


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("OVERPAINT_DEVICE", "gpu", "--device (OVERPAINT_DEVICE): 'gpu' must be one of auto, cuda, mps, cpu"),
        ("OVERPAINT_DEBUG", "maybe", "OVERPAINT_DEBUG: 'maybe' is not usable"),
        ("OVERPAINT_SPEED", "9", "OVERPAINT_SPEED: is not a setting; the settings are OVERPAINT_"),
    ],
)
def test_a_bad_setting_is_named(
    name: str, value: str, line: str, overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert complaint(overpaint(*GENERATE)).startswith(line)


@pytest.mark.parametrize(
    ("flag", "value", "line"),
    [("--port", "99999", "--port: 99999 is not usable"), ("--safety", "some", "--safety: 'some' is not usable")],
)
def test_a_bad_value_of_a_servers_flag_is_named_by_the_flag(
    flag: str, value: str, line: str, overpaint: Overpaint
) -> None:
    assert complaint(overpaint("serve", flag, value)).startswith(line)


def test_a_bad_value_in_a_file_is_named_as_one(overpaint: Overpaint, tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text("port = 99999\n")
    assert complaint(overpaint("serve", "--config", str(path))).startswith("config: port: 99999 is not usable")


def test_keys_are_not_made_where_no_server_keeps_its_data(overpaint: Overpaint, tmp_path: Path) -> None:
    """They would open nothing."""
    place = f"data_dir: '{tmp_path / 'overpaint-data'}' has no data of a server"
    assert complaint(overpaint("keys", "create", "shop")).startswith(place)
    assert not list(tmp_path.iterdir())
