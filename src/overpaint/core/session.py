"""A session: a named tree of tasks, as somebody worked from picture to picture. Plain values; knows no page.

A node is a task; what its pictures are and what was asked stands there. The tree only says what came of what.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A named tree.

    Args:
        id: 32 lower-case hex digits.
        key_id: whose it is.
        name: given by the owner; for people, need not be unique.
        created_at: time-zone aware, UTC; likewise the next.
        touched_at: when it was made, renamed, or got its last node.
    """

    id: str
    key_id: str
    name: str
    created_at: datetime
    touched_at: datetime


@dataclass(frozen=True, slots=True)
class SessionNode:
    """A task in a session.

    Args:
        task_id: which.
        parent_id: the task whose picture it was made from; None where it began with words or a picture from elsewhere,
            and when that task was forgotten.
        parent_index: which of the parent's pictures; 0 without a parent.
    """

    task_id: str
    parent_id: str | None = None
    parent_index: int = 0
