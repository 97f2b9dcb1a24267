"""What becomes of a key that nobody could be shown."""

import errno
from pathlib import Path

import pytest
import typer
from sqlalchemy.engine import make_url

from overpaint.store.migrations.run import migrate
from tests.unit.cli.conftest import Overpaint


def test_a_key_that_cannot_be_written_is_not_left_in_force(
    overpaint: Overpaint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`keys create shop > key.txt` on a full disk once made a key whose secret nobody ever saw, and took its name."""
    migrate(make_url(f"sqlite:///{tmp_path / 'overpaint-data' / 'overpaint.db'}"))

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(typer, "echo", refuse)
        ended = overpaint("keys", "create", "shop")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "error: the key could not be written (No space left on device) and is revoked\n"
    assert overpaint("keys", "create", "shop").out.startswith("op_"), "its name is free again"
