"""Runs command lines in this process, against the null engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from overpaint.cli.app import run


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Overpaint = Callable[..., Ended]


@pytest.fixture
def overpaint(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Overpaint:
    """Runs `overpaint ARGUMENTS` in a fresh folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVERPAINT_MODEL", "null:")

    def call(*arguments: str) -> Ended:
        code = run(arguments)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture file to edit, 200x100."""
    path = tmp_path / "in.png"
    Image.new("RGB", (200, 100), "teal").save(path)
    return path
