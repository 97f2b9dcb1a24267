"""`generate` and `edit`, from the command line to the written file."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from overpaint.images.metadata import read_recipe
from tests.reference.lora_bytes import lora_bytes
from tests.unit.cli.conftest import Overpaint


def test_generate_writes_a_picture_that_knows_how_it_was_made(overpaint: Overpaint) -> None:
    ended = overpaint("generate", "a cat", "-o", "cat.png", "--seed", "7", "--size", "512x256", "--steps", "3")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("cat.png  512x256  seed 7  ")
    with Image.open("cat.png") as image:
        recipe = read_recipe(image)
        assert image.size == (512, 256)
    assert recipe is not None
    assert (recipe.prompt, recipe.seed, recipe.size, recipe.model, recipe.steps) == ("a cat", 7, "512x256", "null", 3)


def test_edit_follows_the_shape_of_the_last_picture(overpaint: Overpaint, picture: Path) -> None:
    ended = overpaint("edit", "make it red", "-i", str(picture), "-o", "out.jpg")
    assert ended.code == 0, ended.err
    with Image.open("out.jpg") as image:
        assert image.format == "JPEG"
        assert image.width / image.height == pytest.approx(2, rel=0.05)


def test_several_pictures_get_numbers_and_seeds_that_count_up(overpaint: Overpaint) -> None:
    ended = overpaint("generate", "a cat", "-o", "cat.webp", "-n", "3", "--seed", "5")
    assert [line.split()[0] for line in ended.out.splitlines()] == ["cat-1.webp", "cat-2.webp", "cat-3.webp"]
    assert [line.split()[3] for line in ended.out.splitlines()] == ["5", "6", "7"]
    assert len({Path(f"cat-{n}.webp").read_bytes() for n in (1, 2, 3)}) == 3


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(overpaint: Overpaint) -> None:
    for name, seed in (("a.png", "1"), ("b.png", "1"), ("c.png", "2")):
        overpaint("generate", "a cat", "-o", name, "--seed", seed)
    a, b, c = (Path(name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b
    assert a != c


def test_a_picture_painted_smaller_and_resized_says_so(overpaint: Overpaint) -> None:
    ended = overpaint("generate", "a cat", "-o", "big.png", "--size", "2048x2048")
    assert "painted at 1024x1024" in ended.out
    with Image.open("big.png") as image:
        recipe = read_recipe(image)
        assert image.size == (2048, 2048)
    assert recipe is not None
    assert recipe.painted_size == "1024x1024"


def test_the_format_may_be_asked_for_where_the_name_says_nothing(overpaint: Overpaint) -> None:
    assert overpaint("generate", "a cat", "-o", "cat", "--format", "webp").code == 0
    with Image.open("cat") as image:
        assert image.format == "WEBP"


def in_a_shell(command: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"OVERPAINT_MODEL": "null:", "OVERPAINT": f"{sys.executable} -m overpaint"}
    return subprocess.run(["bash", "-c", command], env=environment, input=given, capture_output=True, check=False)


def test_pictures_come_and_go_through_pipes(picture: Path) -> None:
    command = f"$OVERPAINT edit 'make it red' -i - -i <(cat {picture}) -o - --format webp --size 128x64"
    ended = in_a_shell(command, picture.read_bytes())
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.startswith(b"-  128x64  seed ")
    with Image.open(io.BytesIO(ended.stdout)) as image:
        assert (image.format, image.size) == ("WEBP", (128, 64))


def test_nothing_is_said_to_who_stopped_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = in_a_shell("$OVERPAINT generate x -o - --format png | true; exit ${PIPESTATUS[0]}", b"")
    assert ended.returncode == 1
    assert b"rror" not in ended.stderr, ended.stderr


def test_transparency_is_kept_when_asked_for(overpaint: Overpaint) -> None:
    overpaint("generate", "a cat", "-o", "cat.png", "--background", "transparent")
    with Image.open("cat.png") as image:
        assert image.mode == "RGBA"


def test_a_name_may_be_as_long_as_the_file_system_takes(overpaint: Overpaint) -> None:
    name = f"{'x' * 251}.png"
    assert overpaint("generate", "a cat", "-o", name).code == 0
    assert [path.name for path in Path().iterdir()] == [name]


def test_an_existing_file_is_replaced_whole(overpaint: Overpaint) -> None:
    Path("cat.png").write_bytes(b"old")
    assert overpaint("generate", "a cat", "-o", "cat.png").code == 0
    assert Path("cat.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in Path().iterdir()] == ["cat.png"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["generate", "--help"], ["edit", "--help"]])
def test_help_is_given_without_complaint(arguments: list[str], overpaint: Overpaint) -> None:
    ended = overpaint(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert "Usage: overpaint" in ended.out


@pytest.mark.parametrize("command", ["generate", "edit", "doctor"])
def test_every_command_teaches_by_example(command: str, overpaint: Overpaint) -> None:
    text = overpaint(command, "--help").out
    assert "Examples:" in text
    assert f"overpaint {command}" in text


def test_the_version_is_told(overpaint: Overpaint) -> None:
    assert overpaint("--version").out.startswith("overpaint 0.")


def test_doctor_reports_on_the_checkpoint_and_times_a_step(overpaint: Overpaint) -> None:
    ended = overpaint("doctor")
    assert ended.code in (0, 1)  # 1 where this machine is short of memory
    for word in ("processor", "memory", "torch", "diffusers", "transformers", "null", "one step", " ms "):
        assert word in ended.out


def test_doctor_says_what_is_wrong_with_a_checkpoint(overpaint: Overpaint) -> None:
    ended = overpaint("doctor", "--model", "null:soon")
    assert ended.code == 1
    assert "problem: model: 'null:soon' must have 0 to 60 seconds" in ended.out


def test_loras_are_given_by_file_or_by_name_with_their_scale(
    overpaint: Overpaint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = {"transformer_blocks.0.attn.to_q": (4, 4)}
    Path("pencil.safetensors").write_bytes(lora_bytes(layers))
    (tmp_path / "own" / "acme").mkdir(parents=True)
    (tmp_path / "own" / "acme" / "ink.safetensors").write_bytes(lora_bytes(layers, seed=1))
    monkeypatch.setenv("OVERPAINT_ADAPTERS", str(tmp_path / "own"))
    given = ("--lora", "pencil.safetensors:0.5", "--lora", "acme/ink:-2", "--lora", "acme/ink")
    ended = overpaint("generate", "a cat", "-o", "cat.png", *given)
    assert (ended.code, ended.err) == (0, "")
    with Image.open("cat.png") as image:
        recipe = read_recipe(image)
    assert recipe is not None
    assert [text.rsplit(":", 1)[0] for text in recipe.adapters] == ["pencil:0.5", "ink:-2", "ink:1"]
