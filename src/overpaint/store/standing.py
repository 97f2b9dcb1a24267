"""How much of its limits a key uses, looked at in the transaction that accepts its tasks.

Two servers on one database can then not both give out the last place: the second waits for the first one's commit.
Keys without limits pay nothing for it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, RowMapping, bindparam, delete, func, select

from overpaint.core.account import KeyLimits, Standing, month_start
from overpaint.core.errors import CapacityError
from overpaint.core.task import NewTask
from overpaint.store.schema import IS_OPEN, api_keys, tasks, usage

_RESERVED = func.coalesce(func.sum(tasks.c.price_microusd), 0).label("reserved")
_OPEN = (
    select(func.count().label("num_open"), _RESERVED).where(tasks.c.key_id == bindparam("key_id"), IS_OPEN).subquery()
)
_IS_CHARGED = (usage.c.key_id == bindparam("key_id")) & (usage.c.finished_at >= bindparam("since"))
_CHARGED = select(func.coalesce(func.sum(usage.c.price_microusd), 0)).where(_IS_CHARGED).scalar_subquery()
_STANDING = select(_OPEN.c.num_open, (_CHARGED + _OPEN.c.reserved).label("spent_microusd"))
_UNCHARGED = select(_OPEN.c.num_open, _OPEN.c.reserved.label("spent_microusd"))
_LOCK = select(api_keys.c.id).where(api_keys.c.id.in_(bindparam("ids", expanding=True))).order_by(api_keys.c.id)
_LOCK_KEYS = _LOCK.with_for_update()
_TAKE_BACK = delete(tasks).where(tasks.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class Asked:
    """A task that is asked to be stored.

    Args:
        task: it.
        limits: what its key may use.
        at: when it was asked for.
    """

    task: NewTask
    limits: KeyLimits
    at: datetime


def standing_query(key_id: str, since: datetime | None) -> tuple[Executable, dict[str, Any]]:
    """A query for the one row that `standing_of` reads, and its values; see `AccountStore.standing`."""
    if since is None:
        return _UNCHARGED, {"key_id": key_id}
    return _STANDING, {"key_id": key_id, "since": since}


def standing_of(row: RowMapping) -> Standing:
    """The standing in the row of `standing_query`."""
    return Standing(row["num_open"], int(row["spent_microusd"]))


def lock_keys(connection: Connection, batch: Sequence[Asked]) -> None:
    """Have other servers that accept for the same limited keys wait for our commit. On SQLite all writers wait anyway.

    Comes before anything is inserted, and in order: two servers then never wait for each other.
    """
    if ids := sorted({one.task.key_id for one in batch if one.limits.bound_use}):
        connection.execute(_LOCK_KEYS, {"ids": ids})


def take_back_what_is_beyond(connection: Connection, stored: Sequence[Asked]) -> dict[str, CapacityError]:
    """Remove those of the tasks just stored that their keys have no room for; why, by id."""
    by_key: defaultdict[str, list[Asked]] = defaultdict(list)
    for one in stored:
        if one.limits.bound_use:
            by_key[one.task.key_id].append(one)
    refused = {id_: error for asked in by_key.values() for id_, error in _beyond(connection, asked).items()}
    if refused:
        connection.execute(_TAKE_BACK, {"ids": list(refused)})
    return refused


def _beyond(connection: Connection, asked: Sequence[Asked]) -> dict[str, CapacityError]:
    """Those that do not fit, of one key's tasks in the order they came."""
    has_budget = any(one.limits.monthly_budget_microusd is not None for one in asked)
    since = month_start(max(one.at for one in asked)) if has_budget else None
    row = connection.execute(*standing_query(asked[0].task.key_id, since)).mappings().one()
    standing = standing_of(row).plus(-len(asked), -sum(one.task.price_microusd for one in asked))
    refused: dict[str, CapacityError] = {}
    for one in asked:
        try:
            one.limits.check_room(standing, one.task.price_microusd)
            standing = standing.plus(1, one.task.price_microusd)
        except CapacityError as error:
            refused[one.task.id] = error
    return refused
