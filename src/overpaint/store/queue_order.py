"""Who goes first in the queue. Replace the function to replace the order: leasing and positions follow it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, FromClause

#: The columns of a task that sort the queue, ascending; unique together. Those of the default are indexed.
QueueOrder = Callable[[FromClause], tuple[ColumnElement[Any], ...]]


def by_priority_and_age(task: FromClause) -> tuple[ColumnElement[Any], ...]:
    """Most urgent first, then oldest first."""
    return task.c.priority, task.c.created_at, task.c.id
