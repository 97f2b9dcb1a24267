"""What a caller can do with tasks that exist: look, list, wait, watch, cancel, delete.

A task of somebody else does not exist for a caller: the error is the same. Knows no HTTP.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from overpaint.core.errors import BackendError, RequestError, TaskError, TaskNotFoundError
from overpaint.core.events import Progress
from overpaint.core.output_ports import OutputStore
from overpaint.core.store_ports import TaskFilter, TaskStore
from overpaint.core.task import Task, TaskState
from overpaint.service.caller import Caller
from overpaint.service.charge import share_done
from overpaint.service.clock import ServiceClock
from overpaint.service.watch import Ended, Queued, TaskEvent, WatchTower

MAX_PAGE = 100
LOOK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks to list; None and empty do not narrow.

    Args:
        states: any of these.
        model: public id, exactly.
        created_after: aware.
        created_before: aware.
        cursor: where the last page ended.
        skip: so many are left out at the beginning.
        limit: 1..100 tasks a page.
        key_id: whose; callers who are no admins see their own, whatever they ask.
    """

    states: tuple[TaskState, ...] = ()
    model: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    cursor: str | None = None
    skip: int = 0
    limit: int = 50
    key_id: str | None = None

    def filter_for(self, caller: Caller) -> TaskFilter:
        """Which tasks it finds for a caller."""
        return {
            "key_id": self.key_id if caller.is_admin else caller.key_id,
            "states": self.states,
            "model": self.model,
            "created_after": self.created_after,
            "created_before": self.created_before,
        }


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of tasks, newest first, and where the next one begins (None: this was the last)."""

    tasks: tuple[Task, ...]
    next_cursor: str | None


class Tasks:
    """Use cases over stored tasks.

    Args:
        store: tasks.
        outputs: their files.
        tower: what happens to them in this process.
        drop: tells the dispatcher that a task was cancelled.
        on_end: called with a task that became final here.
        clock: tells the time.
    """

    def __init__(
        self,
        store: TaskStore,
        outputs: OutputStore,
        tower: WatchTower,
        drop: Callable[[str], None],
        on_end: Callable[[Task], None],
        clock: ServiceClock,
    ) -> None:
        self._store = store
        self._outputs = outputs
        self._tower = tower
        self._drop = drop
        self._on_end = on_end
        self._clock = clock

    async def get(self, caller: Caller, task_id: str) -> Task:
        """One task.

        Raises:
            TaskNotFoundError: there is none that the caller may see.
        """
        try:
            task = await self._store.get(task_id)
        except TaskError as exc:
            raise TaskNotFoundError(f"there is no task {task_id[:64]}") from exc
        if not caller.may_see(task):
            raise TaskNotFoundError(f"there is no task {task_id[:64]}")
        return task

    async def list_tasks(self, caller: Caller, query: TaskQuery | None = None) -> TaskPage:
        """The caller's tasks, newest first.

        Raises:
            RequestError: the limit or the cursor cannot be used.
        """
        query = query or TaskQuery()
        if not 1 <= query.limit <= MAX_PAGE:
            raise RequestError("limit", query.limit, f"must be 1 to {MAX_PAGE}")
        tasks, cursor = await self._store.list_tasks(
            cursor=query.cursor, skip=query.skip, limit=query.limit, **query.filter_for(caller)
        )
        return TaskPage(tuple(tasks), cursor)

    async def count(self, caller: Caller, query: TaskQuery | None = None) -> int:
        """How many tasks a query finds, on all its pages."""
        return await self._store.count(**(query or TaskQuery()).filter_for(caller))

    async def position(self, caller: Caller, task_id: str) -> int:
        """How many queued tasks go before this one."""
        return await self._store.position((await self.get(caller, task_id)).id)

    def progress(self, task: Task) -> Progress | None:
        """How far a task got, as far as this process knows."""
        return self._tower.last_progress(task.id)

    def history(self, task: Task) -> tuple[TaskEvent, ...]:
        """What happened to a task, oldest first, as far as this process remembers it."""
        return tuple(self._tower.after(task.id, 0))

    async def wait(self, caller: Caller, task: Task, timeout_s: float) -> Task:
        """The task as soon as it is final, or as it is when the time is up.

        Args:
            caller: may see it.
            task: as it was last seen.
            timeout_s: for how long to wait.

        Raises:
            TaskNotFoundError: it was deleted meanwhile.
        """
        deadline_s = self._clock.now_s() + timeout_s
        seen = 0
        while not task.state.is_final and (left_s := deadline_s - self._clock.now_s()) > 0:
            for event in self._tower.after(task.id, seen):
                seen = event.sequence
                if isinstance(event.what, Ended):
                    return event.what.task
            if not await self._tower.wait(task.id, min(LOOK_AGAIN_S, left_s), seen):
                task = await self.get(caller, task.id)  # another process may have ended it
        return task if task.state.is_final else self._ending(task.id) or await self.get(caller, task.id)

    async def events(self, caller: Caller, task_id: str, after: int = 0) -> AsyncIterator[TaskEvent]:
        """What happens to a task, from the event numbered `after` on, until it is final.

        Raises:
            TaskNotFoundError: on the first step; there is none that the caller may see.
        """
        while True:
            task = await self.get(caller, task_id)
            await self._tell_standing(task)
            for event in self._tower.after(task_id, after):
                after = event.sequence
                yield event
                if isinstance(event.what, Ended):
                    return
            if task.state.is_final:
                yield TaskEvent(after + 1, task_id, Ended(task))  # it ended before this reader's number, or elsewhere
                return
            await self._tower.wait(task_id, LOOK_AGAIN_S, after)

    async def cancel(self, caller: Caller, task_id: str) -> Task:
        """Stop a task: a queued one at once, a running one within one step; a final one comes back as it is.

        Work that was done is charged: the share of the steps that were taken. Where another server on the database
        paints the task, that one charges it as soon as it learns of this.

        Raises:
            TaskNotFoundError: there is none that the caller may see.
        """
        task = await self.get(caller, task_id)
        if task.state.is_final:
            return task
        progress = self._tower.last_progress(task_id) if task.state is TaskState.RUNNING else None
        ended = await self._store.cancel(task_id, charge_microusd=share_done(task, progress))
        self._drop(task_id)
        self._tower.tell(task_id, ended.attempt, Ended(ended))
        self._on_end(ended)
        return ended

    async def delete(self, caller: Caller, task_id: str) -> None:
        """Forget a final task and its files; its usage stays. Files that cannot be removed now are the sweeper's.

        Raises:
            TaskNotFoundError: there is none that the caller may see.
            TaskError: it is not final.
        """
        task = await self.get(caller, task_id)
        await self._store.delete(task_id)
        with suppress(BackendError):  # the task is gone, whatever becomes of them
            await self._outputs.delete([output.file.key for output in task.outputs])

    def _ending(self, task_id: str) -> Task | None:
        for event in self._tower.after(task_id, 0):
            if isinstance(event.what, Ended):
                return event.what.task
        return None

    async def _tell_standing(self, task: Task) -> None:
        """News that only the store has: a place in the queue, an end in another process."""
        if task.state is TaskState.QUEUED:
            self._tower.tell(task.id, task.attempt, Queued(await self._store.position(task.id)))
        elif task.state.is_final and self._ending(task.id) is None:
            self._tower.tell(task.id, task.attempt, Ended(task))
