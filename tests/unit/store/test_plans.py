"""What is asked again and again looks at what is open or failed, and not at all that ever was.

SQLite's own plans: it knows no sizes, so they are the same for an empty database and a large one.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from overpaint.core.store_ports import TaskFilter
from overpaint.core.task import TaskState
from overpaint.store.opening import Stores, open_stores

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 3, 1, tzinfo=UTC)
OPEN = (TaskState.QUEUED, TaskState.RUNNING)
DONE = (TaskState.SUCCEEDED,)
FRUITLESS = (TaskState.FAILED, TaskState.CANCELLED)
Asking = Callable[[Stores], Awaitable[object]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def plan_of(url: str, ask: Asking) -> str:
    """How the statements of `ask` are carried out, a line for each step."""
    stores, steps = await open_stores(url, lambda: NOW), list[str]()

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        found = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        steps.extend(row[3] for row in found)

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        await ask(stores)
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
        await stores.close()
    return "\n".join(steps)


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda stores: stores.tasks.lease("w", limit=4, duration=timedelta(seconds=9)), "ix_tasks_queue"),
        (lambda stores: stores.tasks.backlog(), "ix_tasks_queue"),
        (lambda stores: stores.tasks.leases(), "ix_tasks_leases"),
        (lambda stores: stores.tasks.list_tasks(states=OPEN), "ix_tasks_open"),
        (lambda stores: stores.tasks.list_tasks(key_id="k", states=OPEN), "ix_tasks_key_open"),
        (lambda stores: stores.tasks.list_tasks(key_id="k", states=OPEN[:1]), "ix_tasks_key_open"),
        (lambda stores: stores.tasks.count(states=OPEN[:1]), "ix_tasks_open"),
        (lambda stores: stores.tasks.count(key_id="k", states=OPEN[:1]), "ix_tasks_key_open"),
        (lambda stores: stores.tasks.list_tasks(states=FRUITLESS), "ix_tasks_fruitless"),
        (lambda stores: stores.tasks.list_tasks(key_id="k", states=FRUITLESS), "ix_tasks_key_fruitless"),
        (lambda stores: stores.tasks.list_tasks(key_id="k", states=FRUITLESS[:1]), "ix_tasks_key_fruitless"),
        (lambda stores: stores.tasks.count(key_id="k", states=FRUITLESS[:1]), "ix_tasks_key_fruitless"),
        (lambda stores: stores.tasks.list_tasks(key_id="k", model="m"), "ix_tasks_model_key"),
        (lambda stores: stores.tasks.list_tasks(key_id="k", model="m", states=DONE), "ix_tasks_model_key"),
        (lambda stores: stores.tasks.list_tasks(key_id="k", model="m", created_after=NOW), "ix_tasks_model_key"),
        (lambda stores: stores.tasks.list_tasks(model="m"), "ix_tasks_model"),
        (lambda stores: stores.tasks.list_tasks(key_id="k", model="m", states=OPEN[1:]), "ix_tasks_key_open"),
        (lambda stores: stores.tasks.list_tasks(model="m", states=FRUITLESS[:1]), "ix_tasks_fruitless"),
        (lambda stores: stores.tasks.count(key_id="k", model="m", states=FRUITLESS), "ix_tasks_key_fruitless"),
        (lambda stores: stores.accounts.standing("k", since=None), "ix_tasks_key_open"),
        (lambda stores: stores.accounts.standing("k", since=NOW), "ix_tasks_key_open"),
    ],
)
async def test_what_is_rare_is_found_without_what_is_not(tmp_path: Path, ask: Asking, index: str) -> None:
    plan = await plan_of(f"sqlite:///{tmp_path / 'overpaint.db'}", ask)
    looks = [step for step in plan.splitlines() if " tasks" in step]
    assert looks
    assert all(f"INDEX {index} (" in step or step.endswith(f"INDEX {index}") for step in looks), plan
    assert "TEMP B-TREE" not in plan, "and in their order"


@pytest.mark.parametrize(
    "wanted",
    [
        {"states": DONE},
        {"states": DONE, "key_id": "k"},
        {"states": DONE, "key_id": "k", "model": "m"},
        {"states": (*DONE, *OPEN), "key_id": "k", "created_after": NOW},
        {"states": (OPEN[0], FRUITLESS[0]), "key_id": "k"},
    ],
)
async def test_what_succeeded_is_counted_without_its_rows(tmp_path: Path, wanted: TaskFilter) -> None:
    plan = await plan_of(f"sqlite:///{tmp_path / 'overpaint.db'}", lambda stores: stores.tasks.count(**wanted))
    looks = [step for step in plan.splitlines() if " tasks" in step]
    of_few = ("open", "fruitless")
    assert looks
    assert all("COVERING INDEX" in look or any(f"_{name} (" in f"{look} (" for name in of_few) for look in looks), plan


async def test_a_models_tasks_are_counted_without_their_rows(tmp_path: Path) -> None:
    def ask(stores: Stores) -> Awaitable[int]:
        return stores.tasks.count(key_id="k", model="m", created_after=NOW)

    plan = await plan_of(f"sqlite:///{tmp_path / 'overpaint.db'}", ask)
    assert "tasks USING COVERING INDEX ix_tasks_model_key" in plan


async def test_a_month_is_added_up_without_its_rows(tmp_path: Path) -> None:
    plan = await plan_of(f"sqlite:///{tmp_path / 'overpaint.db'}", lambda s: s.accounts.standing("k", since=NOW))
    assert "usage USING COVERING INDEX" in plan
    plan = await plan_of(f"sqlite:///{tmp_path / 'overpaint.db'}", lambda s: s.accounts.standing("k", since=None))
    assert "usage" not in plan, "and not at all for who has no budget"
