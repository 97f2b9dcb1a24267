"""A pooler between the stores and PostgreSQL: PgBouncer, where it is installed, and what is asked of a connection."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from overpaint.core.task import TaskState
from overpaint.store.database import PostgresDatabase, parse_url
from overpaint.store.opening import open_stores
from overpaint.store.pooler import is_pooled
from tests.contract.store.making import LEASE, TIMINGS, ManualClock, TaskMaker, output

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]
_PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
_INI = """[databases]
* = host={host} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 2
"""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def pgbouncer(postgres_url: str, mode: str) -> Iterator[str]:
    """A pooler of two connections; what it is reached by."""
    assert _PGBOUNCER
    url, port = make_url(postgres_url), free_port()
    folder = Path(str(url.query["host"]))
    owner = folder.stat().st_uid if os.geteuid() == 0 else None  # it refuses to be root
    with NamedTemporaryFile("w", suffix=".ini") as ini:
        ini.write(_INI.format(host=folder, port=port, mode=mode))
        ini.flush()
        Path(ini.name).chmod(0o644)
        process = subprocess.Popen([_PGBOUNCER, "-q", ini.name], cwd="/", user=owner)
        try:
            wait_for(port)
            yield f"postgresql://postgres@127.0.0.1:{port}/{url.database}"
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < until, "it does not listen"
        time.sleep(0.05)


@pytest.fixture
async def pooled(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    """As if a pooler stood before the database."""
    database = PostgresDatabase(parse_url(postgres_url), is_pooled=True)
    yield database
    await database.close()


@pytest.mark.skipif(_PGBOUNCER is None, reason="needs PgBouncer")
@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_the_stores_work_through_pgbouncer(
    postgres_url: str, mode: str, clock: ManualClock, new_task: TaskMaker
) -> None:
    with pgbouncer(postgres_url, mode) as url:
        stores = [await open_stores(url, clock.now) for _ in range(1 if mode == "session" else 2)]
        for _ in range(8):  # more often than a statement is sent before it would be prepared
            await asyncio.gather(*(store.tasks.create(new_task()) for store in stores))
        leases = await stores[0].tasks.lease("worker", limit=50, duration=LEASE)
        assert all([await stores[-1].tasks.succeed(lease, [output()], TIMINGS) for lease in leases])
        assert len((await stores[0].tasks.list_tasks(states=(TaskState.SUCCEEDED,)))[0]) == 8 * len(stores)
        for store in stores:
            await store.close()


async def test_of_a_pooled_connection_nothing_is_kept_and_everything_asked_anew(pooled: PostgresDatabase) -> None:
    def look(connection: Connection) -> list[Any]:
        for _ in range(8):
            connection.execute(text("SELECT 1"))
        asked = ("SHOW synchronous_commit", "SHOW statement_timeout", "SELECT count(*) FROM pg_prepared_statements")
        return [connection.execute(text(one)).scalar() for one in asked]

    assert await pooled.write(look) == ["on", "30s", 0]
    (after,) = await pooled.read(text("SHOW statement_timeout"))
    assert after["statement_timeout"] == "0"


def test_postgresql_itself_and_a_file_are_no_poolers(postgres_url: str) -> None:
    assert not is_pooled(parse_url(postgres_url))
    assert not is_pooled(parse_url("sqlite:///nowhere.db"))
