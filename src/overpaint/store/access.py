"""What every store holds: the database, the time of day and, for tasks, the order of the queue."""

from collections.abc import Callable
from datetime import datetime

from overpaint.store.database import Database
from overpaint.store.queue_order import QueueOrder, by_priority_and_age

#: Tells the time of day, aware, UTC.
TellTime = Callable[[], datetime]


class StoreAccess:
    """Base of the stores.

    Args:
        database: where it is all kept.
        now: tells the time of day; that of several processes on one database should differ by little.
    """

    def __init__(self, database: Database, now: TellTime) -> None:
        self._database = database
        self._now = now


class TaskAccess(StoreAccess):
    """Base of the parts of the task store.

    Args:
        database: see `StoreAccess`.
        now: likewise.
        order: who goes first in the queue.
    """

    def __init__(self, database: Database, now: TellTime, order: QueueOrder = by_priority_and_age) -> None:
        super().__init__(database, now)
        self._order = order
