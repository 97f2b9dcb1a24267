"""What becomes of a key that nobody could be shown."""

import errno
from pathlib import Path

import pytest
import typer
from sqlalchemy.engine import make_url

from overpaint.store.migrations.run import migrate
from tests.unit.cli.conftest import Overpaint


def make_database(folder: Path) -> None:
    migrate(make_url(f"sqlite:///{folder / 'overpaint-data' / 'overpaint.db'}"))


def test_a_key_that_cannot_be_written_is_not_left_in_force(
    overpaint: Overpaint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`keys create shop > key.txt` on a full disk once made a key whose secret nobody ever saw, and took its name."""
    make_database(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(typer, "echo", refuse)
        ended = overpaint("keys", "create", "shop")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "error: the key could not be written (No space left on device) and is revoked\n"
    assert overpaint("keys", "create", "shop").out.startswith("op_"), "its name is free again"


def test_the_uploads_of_a_key_are_limited_and_the_limit_is_lifted(overpaint: Overpaint, tmp_path: Path) -> None:
    make_database(tmp_path)
    assert overpaint("keys", "create", "shop", "--uploads", "500", "--per-minute", "7").code == 0
    assert overpaint("keys", "list").out.splitlines()[-1].split()[3:7] == ["7", "-", "-", "500"]
    for given, shown in (("0", "0"), ("none", "-")):
        changed = overpaint("keys", "limit", "shop", "--uploads", given).out
        assert changed.splitlines()[-1].split()[3:7] == ["7", "-", "-", shown]
    for wrong in ("-1", "2147483648", "1.5"):
        said = overpaint("keys", "limit", "shop", "--uploads", wrong).err
        assert f"uploads: '{wrong}' must be a number from 0 to 2147483647, or none" in said
