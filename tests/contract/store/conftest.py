"""One suite, three adapters: in memory, SQLite on a file, a real PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from overpaint.store.memory.opening import open_memory_stores
from overpaint.store.opening import open_stores
from tests.contract.store.making import ManualClock, StoreSet, TaskMaker
from tests.postgres import postgres_running

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    with postgres_running() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Any) -> str:
    """An empty database."""
    url: str = postgres_server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'overpaint.db'}"


@pytest.fixture(params=["sqlite", POSTGRES])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def new_task() -> TaskMaker:
    return TaskMaker()


@pytest.fixture(params=["memory", "sqlite", POSTGRES])
async def stores(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[StoreSet]:
    if request.param == "memory":
        opened = open_memory_stores(clock.now)
    else:
        opened = await open_stores(request.getfixturevalue(f"{request.param}_url"), clock.now)
    yield StoreSet(opened.tasks, opened.accounts, opened.webhooks, opened.sessions)
    await opened.close()
