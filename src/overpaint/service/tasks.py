"""What a caller can do with tasks that exist: look, list, wait, watch, cancel, delete.

A task of somebody else does not exist for a caller: the error is the same. Knows no HTTP.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from overpaint.core.task import Task, TaskState
from overpaint.service.caller import Caller
from overpaint.service.watch import TaskEvent


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks to list; None and empty do not narrow.

    Args:
        states: any of these.
        model: public id, exactly.
        created_after: aware.
        created_before: aware.
        cursor: where the last page ended.
        limit: 1..100 tasks a page.
        key_id: whose; callers who are no admins see their own, whatever they ask.
    """

    states: tuple[TaskState, ...] = ()
    model: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    cursor: str | None = None
    limit: int = 50
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of tasks, newest first, and where the next one begins (None: this was the last)."""

    tasks: tuple[Task, ...]
    next_cursor: str | None


class Tasks:
    """Use cases over stored tasks."""

    async def get(self, caller: Caller, task_id: str) -> Task:
        """One task.

        Raises:
            TaskNotFoundError: there is none that the caller may see.
        """
        raise NotImplementedError

    async def list_tasks(self, caller: Caller, query: TaskQuery | None = None) -> TaskPage:
        """The caller's tasks, newest first.

        Raises:
            RequestError: the limit or the cursor cannot be used.
        """
        raise NotImplementedError

    async def count(self, caller: Caller, states: tuple[TaskState, ...] = ()) -> int:
        """How many tasks the caller has."""
        raise NotImplementedError

    async def position(self, caller: Caller, task_id: str) -> int:
        """How many queued tasks go before this one."""
        raise NotImplementedError

    async def wait(self, caller: Caller, task_id: str, timeout_s: float) -> Task:
        """The task as soon as it is final, or as it is when the time is up.

        Raises:
            TaskNotFoundError: there is none that the caller may see.
        """
        raise NotImplementedError

    def events(self, caller: Caller, task_id: str, after: int = 0) -> AsyncIterator[TaskEvent]:
        """What happens to a task, from the event numbered `after` on, until it is final.

        Raises:
            TaskNotFoundError: on the first step; there is none that the caller may see.
        """
        raise NotImplementedError

    async def cancel(self, caller: Caller, task_id: str) -> Task:
        """Stop a task: a queued one at once, a running one within one step; a final one comes back as it is.

        Raises:
            TaskNotFoundError: there is none that the caller may see.
        """
        raise NotImplementedError

    async def delete(self, caller: Caller, task_id: str) -> None:
        """Forget a final task and its files; its usage stays.

        Raises:
            TaskNotFoundError: there is none that the caller may see.
            TaskError: it is not final.
        """
        raise NotImplementedError
