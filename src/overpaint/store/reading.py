"""Looking at tasks. Reads that arrive together are answered by one query."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import ColumnElement, ScalarSelect, Select, TextClause, bindparam, func, literal, select, tuple_

from overpaint.core.errors import TaskNotFoundError
from overpaint.core.store_ports import TaskFilter
from overpaint.core.task import Backlog, Task, TaskState
from overpaint.store.access import TaskAccess, TellTime
from overpaint.store.coalesce import Coalescer
from overpaint.store.cursor import read_cursor, write_cursor
from overpaint.store.database import Database
from overpaint.store.queue_order import QueueOrder, by_priority_and_age
from overpaint.store.rows import task_of
from overpaint.store.schema import IS_FRUITLESS, IS_OPEN, IS_QUEUED, task_files, tasks

_BY_ID = select(tasks).where(tasks.c.id.in_(bindparam("ids", expanding=True)))
_STILL_NAMED = select(task_files.c.file_key).where(task_files.c.file_key.in_(bindparam("keys", expanding=True)))
_FRUITLESS = frozenset({TaskState.FAILED, TaskState.CANCELLED})
_OPEN = frozenset(state for state in TaskState if not state.is_final)
_NAMES_A_QUERY = 500
_NUMBER = func.count().label("number")
_BACKLOG = select(_NUMBER, func.min(tasks.c.created_at).label("oldest")).where(IS_QUEUED)


class TaskReading(TaskAccess):
    """The looking half of `TaskStore`."""

    def __init__(self, database: Database, now: TellTime, order: QueueOrder = by_priority_and_age) -> None:
        super().__init__(database, now, order)
        self._find = Coalescer[str, Task | None](self._find_batch)
        self._position = _position_query(order)

    async def get(self, task_id: str) -> Task:
        """One task; see `TaskStore.get`."""
        # What no database can compare with an id would fail everybody's reads in the same query.
        is_plain = task_id.isascii() and task_id.isprintable()
        task = await self._find(task_id) if is_plain else None
        if task is None:
            raise TaskNotFoundError(f"there is no task {task_id}")
        return task

    async def list_tasks(
        self,
        *,
        cursor: str | None = None,
        skip: int = 0,
        limit: int = 50,
        **wanted: Unpack[TaskFilter],
    ) -> tuple[list[Task], str | None]:
        """Newest first, and the cursor of the next page; see `TaskStore.list_tasks`."""
        query = _filtered(select(tasks), wanted)
        if cursor is not None:
            query = query.where(_older_than(*read_cursor(cursor)))
        query = query.order_by(tasks.c.created_at.desc(), tasks.c.id.desc()).offset(skip).limit(limit + 1)
        found = [task_of(row) for row in await self._database.read(query)]
        page = found[:limit]
        return page, write_cursor(page[-1].created_at, page[-1].id) if len(found) > limit else None

    async def count(self, **wanted: Unpack[TaskFilter]) -> int:
        """How many tasks there are."""
        return await self._number(_count_query(wanted))

    async def position(self, task_id: str) -> int:
        """How many queued tasks go before this one; see `TaskStore.position`."""
        return await self._number(self._position, {"id": task_id})

    async def backlog(self) -> Backlog:
        """What is queued; see `TaskStore.backlog`."""
        (row,) = await self._database.read(_BACKLOG)
        return Backlog(row["number"], row["oldest"])

    async def referenced_files(self, keys: Sequence[str]) -> set[str]:
        """Those of the given file keys that some task still names."""
        named: set[str] = set()
        for start in range(0, len(keys), _NAMES_A_QUERY):
            rows = await self._database.read(_STILL_NAMED, {"keys": list(keys[start : start + _NAMES_A_QUERY])})
            named.update(row["file_key"] for row in rows)
        return named

    async def _find_batch(self, ids: Sequence[str]) -> list[Task | Exception | None]:
        rows = await self._database.read(_BY_ID, {"ids": list(set(ids))})
        found = {row["id"]: task_of(row) for row in rows}
        return [found.get(task_id) for task_id in ids]

    async def _number(self, query: Select[int], values: dict[str, Any] | None = None) -> int:
        (row,) = await self._database.read(query, values)
        return row["number"]


def _filtered(query: Select[Any], wanted: TaskFilter) -> Select[Any]:
    key_id, states, model = wanted.get("key_id"), wanted.get("states", ()), wanted.get("model")
    if key_id is not None:
        query = query.where(tasks.c.key_id == key_id)
    if states:
        query = query.where(tasks.c.state.in_([state.value for state in states]))
    # It says no more, but leads to the index of those.
    rare = _rare(states)
    if rare is not None:
        query = query.where(rare)
    if model is not None:
        # Joined to nothing, so that the index of the model, which has many more tasks, is not taken for these few.
        query = query.where((tasks.c.model if rare is None else tasks.c.model.concat("")) == model)
    return _created_between(query, wanted.get("created_after"), wanted.get("created_before"))


def _rare(states: Sequence[TaskState]) -> TextClause | None:
    """The condition that leads to the index of those states, where they have one."""
    if states and _FRUITLESS.issuperset(states):
        return IS_FRUITLESS
    return IS_OPEN if states and _OPEN.issuperset(states) else None


def _count_query(wanted: TaskFilter) -> Select[int]:
    """Counts indexes and not rows. What succeeded, the most of all, has none of its own: it is all but the others."""
    states = frozenset(wanted.get("states", ()))
    is_all_but = not states or TaskState.SUCCEEDED in states
    named = frozenset(TaskState) - states if states and is_all_but else states
    some = [_number_of(wanted, named & rare) for rare in (_OPEN, _FRUITLESS) if named & rare]
    number = _number_of(wanted, frozenset()) - sum(some, literal(0)) if is_all_but else sum(some, literal(0))
    return select(number.label("number"))


def _number_of(wanted: TaskFilter, states: frozenset[TaskState]) -> ScalarSelect[int]:
    narrowed: TaskFilter = {**wanted, "states": tuple(states)}
    return _filtered(select(func.count()).select_from(tasks), narrowed).scalar_subquery()


def _created_between(query: Select[Any], after: datetime | None, before: datetime | None) -> Select[Any]:
    if after is not None:
        query = query.where(tasks.c.created_at >= after)
    if before is not None:
        query = query.where(tasks.c.created_at < before)
    return query


def _older_than(created_at: datetime, task_id: str) -> ColumnElement[bool]:
    # Typed: in a tuple, SQLAlchemy does not take the type of a value from the column beside it.
    end = tuple_(literal(created_at, tasks.c.created_at.type), literal(task_id))
    return tuple_(tasks.c.created_at, tasks.c.id) < end


def _position_query(order: QueueOrder) -> Select[int]:
    mine, other = tasks.alias("mine"), tasks.alias("other")
    is_queued = (mine.c.state == TaskState.QUEUED.value) & (other.c.state == TaskState.QUEUED.value)
    goes_before = tuple_(*order(other)) < tuple_(*order(mine))
    return select(_NUMBER).select_from(mine, other).where(mine.c.id == bindparam("id"), is_queued, goes_before)
