"""The real program in a process of its own, with the null engine and with the bundled checkpoint."""

import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import overpaint.bundled
from overpaint.images.metadata import read_recipe

BUNDLED = Path(overpaint.bundled.__file__).parent
CHECKPOINT = BUNDLED / "overpaint-mini"
SAMPLES = BUNDLED / "samples"

# Matrices this small gain nothing from a second thread, and lose much when the cores are busy with other tests.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

Program = Callable[..., "subprocess.CompletedProcess[str]"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "overpaint", *arguments]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Runs `overpaint ARGUMENTS` in a fresh folder, to its end."""

    def call(*arguments: str, limit_file_bytes: int | None = None) -> "subprocess.CompletedProcess[str]":
        def limit() -> None:
            if limit_file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit_file_bytes, limit_file_bytes))

        return subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            preexec_fn=limit,
        )

    return call


def assert_failed(ended: "subprocess.CompletedProcess[str]", code: int, *words: str) -> None:
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: ")
    for word in words:
        assert word in ended.stderr


def test_a_painted_file_is_the_only_thing_left(program: Program, tmp_path: Path) -> None:
    ended = program("generate", "a cat", "-o", "cat.png", "--model", "null:", "--seed", "1", "--size", "64x64")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("cat.png  64x64  seed 1  ")
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]


def test_a_write_that_fails_leaves_nothing(program: Program, tmp_path: Path) -> None:
    """The kernel refuses the probe file, as it would on a full disk."""
    ended = program("generate", "a cat", "-o", "cat.png", "--model", "null:", limit_file_bytes=1000)
    assert_failed(ended, 1, "output: 'cat.png' could not be written", "file too large")
    assert list(tmp_path.iterdir()) == []


def read_until(terminal: int, word: str) -> str:
    """What a program wrote to its terminal, up to and with `word`.

    The other end must be open here, too: when the last one closes, the kernel may drop what was just written.
    """
    text = ""
    while word not in text:
        assert select.select([terminal], [], [], 60)[0], text
        text += os.read(terminal, 4096).decode()
    return text


def _listen_to_interrupts() -> None:
    """What a shell starts in the background ignores them, and so would what the tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_it_shows_its_steps_and_an_interrupt_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    arguments = command("generate", "a cat", "-o", "cat.png", "--model", "null:0.2", "--steps", "150")
    ours, theirs = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm"}
    with subprocess.Popen(
        arguments,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
        preexec_fn=_listen_to_interrupts,
    ) as running:
        read_until(ours, "step 2 of 150")
        running.send_signal(signal.SIGINT)
        text = read_until(ours, "interrupted; nothing was written")
        out, _ = running.communicate(timeout=30)
    os.close(theirs)
    os.close(ours)
    assert (running.returncode, out) == (130, b"")
    assert "Traceback" not in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("source", ["/no/such/folder", "./missing"])
def test_a_missing_checkpoint_is_told_in_one_line(source: str, program: Program, tmp_path: Path) -> None:
    ended = program("generate", "a cat", "-o", "cat.png", "--model", source)
    assert_failed(ended, 1, f"checkpoint: {source} is not a folder")
    assert list(tmp_path.iterdir()) == []


def test_a_half_downloaded_checkpoint_names_the_file(program: Program, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(CHECKPOINT, copy)
    weights = next((copy / "transformer").glob("*.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    assert_failed(program("generate", "a cat", "-o", "cat.png", "--model", str(copy)), 1, "checkpoint: ", weights.name)
    weights.unlink()
    assert_failed(program("generate", "a cat", "-o", "cat.png", "--model", str(copy)), 1, "checkpoint: ", "transformer")


def test_the_bundled_checkpoint_edits_a_sample(program: Program, tmp_path: Path) -> None:
    """What a new user does first: no --model, a sample picture, a size above what the checkpoint paints."""
    sample = min(SAMPLES.glob("*.png"))
    options = ("--seed", "3", "--steps", "4", "--size", "512x512")
    for name in ("a.png", "b.png"):
        ended = program("edit", "change the background to blue", "-i", str(sample), "-o", name, *options)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "512x512  seed 3" in ended.stdout
        assert "and resized)" in ended.stdout
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        recipe = read_recipe(image)
        assert image.size == (512, 512)
    assert recipe is not None
    assert recipe.model == "overpaint-mini"


def test_the_bundled_checkpoint_refuses_a_prompt_over_its_limit(program: Program) -> None:
    assert_failed(program("generate", "cat " * 5000, "-o", "cat.png"), 2, "prompt: ", "tokens")
