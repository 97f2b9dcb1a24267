"""What is written is closed to other users of the machine, also in a folder of data that was made open before."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from overpaint.core.errors import BackendError
from overpaint.lora.cache import AdapterCache
from overpaint.outputs.local import LocalOutputs
from overpaint.store.opening import open_stores
from tests.unit.lora.keeping import kept


@pytest.fixture(autouse=True)
def usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def is_closed(path: Path) -> bool:
    return path.stat().st_mode & 0o077 == 0


def closed_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if is_closed(path))


def test_the_database_and_the_files_that_sqlite_keeps_beside_it(tmp_path: Path) -> None:
    async def look() -> list[str]:
        stores = await open_stores(f"sqlite:///{tmp_path / 'overpaint.db'}", lambda: datetime.now(UTC))
        await stores.accounts.list_keys()
        written = closed_in(tmp_path)
        await stores.close()
        return written

    assert asyncio.run(look()) == ["overpaint.db", "overpaint.db-shm", "overpaint.db-wal"]


def test_a_database_that_is_there_keeps_what_its_owner_gave_it(tmp_path: Path) -> None:
    path = tmp_path / "overpaint.db"
    path.touch(0o640)
    asyncio.run(open_stores(f"sqlite:///{path}", lambda: datetime.now(UTC)))
    assert path.stat().st_mode & 0o777 == 0o640


def test_pictures_and_adapters(tmp_path: Path) -> None:
    asyncio.run(LocalOutputs(tmp_path / "deep" / "files").put("outputs/a", b"a picture", "image/png"))
    kept(AdapterCache(tmp_path / "adapters", 1000), b"an adapter")
    assert is_closed(tmp_path / "deep" / "files")
    assert is_closed(tmp_path / "adapters")


def test_what_a_database_refuses_is_not_told_with_its_values(tmp_path: Path) -> None:
    """Whatever is logged of an error, the one it came from too: prompts are values."""

    async def fail() -> BaseException | None:
        stores = await open_stores(f"sqlite:///{tmp_path / 'overpaint.db'}", lambda: datetime.now(UTC))
        with pytest.raises(BackendError) as failure:
            await stores.database.read(text("SELECT :prompt FROM nowhere"), {"prompt": "a secret wish"})
        await stores.close()
        return failure.value.__cause__

    cause = asyncio.run(fail())
    assert isinstance(cause, SQLAlchemyError)
    assert "a secret wish" not in str(cause)
