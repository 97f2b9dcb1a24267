"""What the databases must survive: a killed process, a full disk, a server that goes and comes back."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from overpaint.core.account import KeyLimits
from overpaint.core.errors import BackendError, ConfigError, RateLimitError
from overpaint.core.task import TaskState
from overpaint.store.database import connect, parse_url
from overpaint.store.migrations import run
from overpaint.store.opening import Stores, open_stores
from tests.contract.store.making import LEASE, ManualClock, TaskMaker, api_key

pytestmark = pytest.mark.anyio

CREATE_AND_WAIT = """
import asyncio, sys
from overpaint.store.database import connect, parse_url
from overpaint.store.migrations import run
from overpaint.store.opening import open_stores
from tests.contract.store.making import ManualClock, TaskMaker

async def main():
    stores = await open_stores(sys.argv[1], ManualClock().now)
    new_task = TaskMaker()
    created = await asyncio.gather(*(stores.tasks.create(new_task()) for _ in range(20)))
    print(*(task.id for task, _ in created), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def first_words_before_a_kill(command: list[str]) -> list[str]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        process.send_signal(signal.SIGKILL)
    return words


async def test_what_was_acknowledged_is_there_after_a_kill(database_url: str, clock: ManualClock) -> None:
    command = [sys.executable, "-c", CREATE_AND_WAIT, database_url]
    ids = await asyncio.to_thread(first_words_before_a_kill, command)
    assert len(ids) == 20
    stores = await open_stores(database_url, clock.now)
    leases = await stores.tasks.lease("worker", limit=100, duration=LEASE)
    assert {lease.task.id for lease in leases} == set(ids)
    await stores.close()


async def test_sqlite_flushes_every_commit(sqlite_url: str, clock: ManualClock) -> None:
    stores = await open_stores(sqlite_url, clock.now)

    def look(connection: Connection) -> tuple[Any, ...]:
        names = ("synchronous", "journal_mode", "foreign_keys")
        return tuple([connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names])

    assert await stores.database.write(look) == (2, "wal", 1)
    await stores.close()


async def test_a_new_file_is_opened_while_another_process_is_busy_with_it(sqlite_url: str, clock: ManualClock) -> None:
    """SQLite refuses to turn on its write-ahead log at once, where it would wait for any other lock."""
    path = sqlite_url.removeprefix("sqlite:///")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE theirs (id)")
        other.execute("BEGIN")
        other.execute("SELECT * FROM theirs").fetchall()
        opening = asyncio.create_task(open_stores(sqlite_url, clock.now))
        assert not (await asyncio.wait([opening], timeout=0.3))[0]
        other.execute("COMMIT")
        stores = await opening
    with closing(sqlite3.connect(path)) as another:
        assert another.execute("PRAGMA journal_mode").fetchone() == ("wal",), "nobody who writes has to turn it on"
    await stores.close()


async def test_a_start_does_not_wait_for_ever_for_who_keeps_a_file_open(
    sqlite_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LOCK_TIMEOUT_S", 0.1)
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE theirs (id)")
        other.execute("BEGIN")
        other.execute("SELECT * FROM theirs").fetchall()
        with pytest.raises(BackendError, match="write-ahead log cannot be turned on"):
            await open_stores(sqlite_url, clock.now)


async def test_several_processes_may_start_at_once(database_url: str, clock: ManualClock) -> None:
    opened = await asyncio.gather(*(open_stores(database_url, clock.now) for _ in range(3)))
    for stores in opened:
        await stores.tasks.check()
        await stores.close()


async def test_two_servers_together_give_out_no_more_than_a_key_may_have(
    database_url: str, clock: ManualClock, new_task: TaskMaker
) -> None:
    one, two = [await open_stores(database_url, clock.now) for _ in range(2)]
    await one.accounts.create_key(api_key("a", clock))
    limits = KeyLimits(max_open_tasks=5, monthly_budget_microusd=10**9)
    for _ in range(4):
        asked = [((one, two)[n % 2], new_task(key_id="id-a")) for n in range(24)]
        creating = (stores.tasks.create(task, limits) for stores, task in asked)
        outcomes = await asyncio.gather(*creating, return_exceptions=True)
        assert sum(isinstance(outcome, RateLimitError) for outcome in outcomes) == 19
        kept, _ = await one.tasks.list_tasks(states=[TaskState.QUEUED])
        assert len(kept) == 5
        for task in kept:
            await two.tasks.cancel(task.id)
    for stores in (one, two):
        await stores.close()


async def test_two_openings_of_one_database_share_the_queue(
    database_url: str, clock: ManualClock, new_task: TaskMaker
) -> None:
    one, two = await open_stores(database_url, clock.now), await open_stores(database_url, clock.now)
    await asyncio.gather(*((one if n % 2 else two).tasks.create(new_task()) for n in range(40)))

    async def work(stores: Any, worker: str) -> list[str]:
        mine: list[str] = []
        while leases := await stores.tasks.lease(worker, limit=4, duration=LEASE):
            mine += [lease.task.id for lease in leases]
        return mine

    first, second = await asyncio.gather(work(one, "one"), work(two, "two"))
    assert len({*first, *second}) == len(first) + len(second) == 40
    await one.close()
    await two.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two mebibytes."""
    disk = tmp_path / "small"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True)
    if mount.returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill_up(filler: Path) -> None:
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 65536):
            pass


async def create_many(stores: Stores, new_task: TaskMaker, accepted: list[str]) -> None:
    for _ in range(50):
        created, _ = await stores.tasks.create(new_task(prompt="x" * 20_000))
        accepted.append(created.id)


async def test_a_full_disk_refuses_and_recovers_without_a_restart(
    small_disk: Path, clock: ManualClock, new_task: TaskMaker
) -> None:
    stores = await open_stores(f"sqlite:///{small_disk / 'overpaint.db'}", clock.now)
    filler = small_disk / "filler"
    accepted: list[str] = []
    accepted.append((await stores.tasks.create(new_task()))[0].id)
    fill_up(filler)
    with pytest.raises(BackendError, match=r"full|I/O"):
        await create_many(stores, new_task, accepted)
    assert len(accepted) < 50
    assert {task.id for task in (await stores.tasks.list_tasks(limit=100))[0]} == set(accepted)
    filler.unlink()
    accepted.append((await stores.tasks.create(new_task()))[0].id)
    await stores.tasks.check()
    assert await stores.tasks.count(states=[TaskState.QUEUED]) == len(accepted)
    await stores.close()


@pytest.mark.postgres
async def test_a_server_that_comes_back_is_used_again(
    postgres_url: str, postgres_server: Any, clock: ManualClock, new_task: TaskMaker
) -> None:
    stores = await open_stores(postgres_url, clock.now)
    task, _ = await stores.tasks.create(new_task())
    await asyncio.to_thread(crash, postgres_server)
    for _ in range(3):
        with pytest.raises(BackendError):
            await stores.tasks.create(new_task())
    with pytest.raises(BackendError):
        await stores.tasks.check()
    await asyncio.to_thread(postgres_server.ensure_postgres_running)
    assert (await stores.tasks.get(task.id)) == task
    await asyncio.gather(*(stores.tasks.create(new_task()) for _ in range(20)))
    await stores.close()


@pytest.mark.postgres
def test_limits_that_an_administrator_set_do_not_end_a_migration(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index of a year's tasks takes longer than any request may."""
    limits, found = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"), list[str]()

    def look(config: Any, _revision: str) -> None:
        connection: Connection = config.attributes["connection"]
        found.extend(str(connection.execute(text(f"SHOW {limit}")).scalar()) for limit in limits)

    monkeypatch.setattr(run.command, "upgrade", look)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for limit in limits:
            connection.execute(f"ALTER DATABASE postgres SET {limit} = '7s'")  # pyright: ignore[reportCallIssue, reportArgumentType]
        run.migrate(parse_url(postgres_url))
        for limit in limits:
            connection.execute(f"ALTER DATABASE postgres RESET {limit}")  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert found == ["0", "0", "0"]


@pytest.mark.postgres
async def test_a_connection_to_what_became_a_standby_is_given_up(postgres_url: str, clock: ManualClock) -> None:
    """A failover behind one name leaves connections to the server that takes no writes any more."""
    stores = await open_stores(postgres_url, clock.now)
    for _ in range(2):
        await stores.database.read(text("SELECT set_config('default_transaction_read_only', 'on', false)"))
        with pytest.raises(BackendError, match="read-only"):
            await stores.tasks.check()
        await stores.tasks.check()
    await stores.close()


def crash(server: Any) -> None:
    """Stop the server at once, without a checkpoint: its next start recovers from its log."""
    pid: int = server.get_pid()
    os.kill(pid, signal.SIGQUIT)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.1)
    raise RuntimeError("the server does not stop")


async def test_a_database_out_of_reach_at_start_is_a_backend_error(clock: ManualClock) -> None:
    with pytest.raises(BackendError):
        await open_stores("postgresql://nobody:secret@127.0.0.1:9/none", clock.now)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "told"), [({}, ("overpaint", "30s")), ({"application_name": "studio", "options": ""}, ("studio", "0"))]
)
async def test_what_a_url_asks_of_postgresql_goes_before_what_is_asked_without_it(
    postgres_url: str, query: dict[str, str], told: tuple[str, str]
) -> None:
    database = connect(parse_url(postgres_url).update_query_dict(query))
    (row,) = await database.read(
        text("SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS patience")
    )
    await database.close()
    assert (row["name"], row["patience"]) == told


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite://", "sqlite:///:memory:"])
async def test_a_url_no_store_can_use_is_a_configuration_error(clock: ManualClock, url: str) -> None:
    with pytest.raises(ConfigError):
        await open_stores(url, clock.now)


async def test_a_value_that_cannot_be_stored_costs_its_own_task_only(
    database_url: str, clock: ManualClock, new_task: TaskMaker
) -> None:
    stores = await open_stores(database_url, clock.now)
    asked = [new_task(), new_task(), new_task(dialect="half a pair \ud800"), new_task(), new_task()]
    outcomes = await asyncio.gather(*(stores.tasks.create(task) for task in asked), return_exceptions=True)
    assert isinstance(outcomes[2], BackendError)
    kept = {task.id for task in (await stores.tasks.list_tasks())[0]}
    assert kept == {task.id for number, task in enumerate(asked) if number != 2}
    await stores.close()
