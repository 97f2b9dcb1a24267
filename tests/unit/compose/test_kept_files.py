"""What earlier starts have left is looked at before the next one."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from overpaint.compose.kept_files import require_outputs_of, require_own_database, require_own_outputs
from overpaint.core.errors import ConfigError
from overpaint.core.store_ports import TaskStore
from overpaint.store.memory.opening import open_memory_stores
from tests.contract.store.making import LEASE, TIMINGS, TaskMaker, output


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a path somebody else's; root, who runs tests in containers, may write everything."""

    def take(path: Path) -> None:
        monkeypatch.setattr(os, "access", lambda asked, _: Path(asked) != path)

    return take


async def tasks_with(num_done: int) -> TaskStore:
    stores, new_task = open_memory_stores(lambda: datetime.now(UTC)), TaskMaker()
    await stores.tasks.create(new_task())
    for number in range(num_done):
        [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
        await stores.tasks.succeed(lease, [output(f"outputs/{number}/0.png")], TIMINGS)
    return stores.tasks


@pytest.mark.anyio
async def test_an_empty_folder_is_not_taken_for_the_one_that_holds_the_pictures(tmp_path: Path) -> None:
    """A disk that was not mounted at the start counted as new: old pictures were gone, new ones filled another disk."""
    tasks = await tasks_with(1)
    for folder in (tmp_path, tmp_path / "not there"):
        with pytest.raises(ConfigError, match=r"outputs: .* is empty, but there are tasks with pictures"):
            await require_outputs_of(tasks, folder)
    (tmp_path / ".incoming").mkdir()
    await require_outputs_of(tasks, tmp_path)


@pytest.mark.anyio
async def test_a_folder_may_be_empty_as_long_as_nothing_was_painted(tmp_path: Path) -> None:
    await require_outputs_of(await tasks_with(0), tmp_path)


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_a_database_of_another_user_is_told_by_its_name(
    tmp_path: Path, theirs: Callable[[Path], None], ending: str
) -> None:
    """After a restore with sudo; the server came up, said Ready, and could store nothing."""
    path = tmp_path / "overpaint.db"
    url = make_url(f"sqlite:///{path}")
    theirs(Path(f"{path}{ending}"))
    require_own_database(url)
    Path(f"{path}{ending}").touch()
    with pytest.raises(ConfigError, match=f"database: '{path}{ending}' cannot be written by this user"):
        require_own_database(url)
    require_own_database(make_url("postgresql://user@host/name"))


def test_a_folder_of_pictures_of_another_user_is_told_by_its_name(
    tmp_path: Path, theirs: Callable[[Path], None]
) -> None:
    (tmp_path / "outputs").mkdir()
    require_own_outputs(tmp_path)
    theirs(tmp_path / "outputs")
    with pytest.raises(ConfigError, match=f"outputs: '{tmp_path}/outputs' cannot be written"):
        require_own_outputs(tmp_path)
