"""Task ids as UUIDs with dashes, which some vendors' clients are used to; here they are 32 hex digits."""

import re
from uuid import UUID

from overpaint.core.errors import TaskNotFoundError

_ID = re.compile(r"[0-9a-f]{32}")


def dashed(task_id: str) -> str:
    """A task's id as a UUID is written."""
    return str(UUID(hex=task_id))


def undashed(text: str) -> str:
    """The id of a task, from either form.

    Raises:
        TaskNotFoundError: it can be none.
    """
    found = text.replace("-", "").lower()
    if _ID.fullmatch(found) is None:
        raise TaskNotFoundError(f"there is no task {text[:64]!a}")
    return found
