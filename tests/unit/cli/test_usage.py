"""What was charged, told without holding all of it."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from overpaint.core.account import UsageRow
from overpaint.store.accounts import SqlAccountStore
from overpaint.store.migrations.run import migrate
from tests.unit.cli.conftest import Overpaint


@pytest.fixture
def charged(overpaint: Overpaint, tmp_path: Path) -> Overpaint:
    """Two keys that had one name after the other, and three charged tasks."""
    path = tmp_path / "overpaint-data" / "overpaint.db"
    migrate(make_url(f"sqlite:///{path}"))
    for command in ("create", "revoke", "create"):
        assert overpaint("keys", command, "shop").code == 0
    with sqlite3.connect(path) as database:
        first, second = (row[0] for row in database.execute("SELECT id FROM api_keys ORDER BY created_at"))
        rows = [("a", first, "m", 2), ("b", second, "m", 1), ("c", second, "n", 1)]
        insert = "INSERT INTO usage VALUES (?, ?, ?, ?, 30000, 5, 1700000000000000)"
        database.executemany(insert, rows)
    database.close()
    return overpaint


def test_the_table_is_added_up_by_the_database(charged: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_all(*_: object, **__: object) -> None:
        raise AssertionError("every row of a year was read")

    monkeypatch.setattr(SqlAccountStore, "usage", read_all)
    told = charged("usage").out.splitlines()
    assert [line.split() for line in told[1:]] == [["shop", "m", "2", "3", "0.06"], ["shop", "n", "1", "1", "0.03"]]


def test_csv_is_written_as_it_is_read(charged: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, read = charged("usage", "--csv"), SqlAccountStore.usage
    assert [line.split(",")[0] for line in whole.out.splitlines()] == ["task_id", "a", "b", "c"]

    async def broken(store: SqlAccountStore, **asked: object) -> AsyncIterator[UsageRow]:
        async for row in read(store, **asked):  # pyright: ignore[reportArgumentType]
            yield row
            raise OSError("the disk is gone")

    monkeypatch.setattr(SqlAccountStore, "usage", broken)
    ended = charged("usage", "--csv")
    assert (ended.code != 0, ended.out.splitlines()) == (True, whole.out.splitlines()[:2])
