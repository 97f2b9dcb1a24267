"""What happens to tasks, told to whoever watches: numbered events with a short memory, so that a reader can come back.

In memory only: what is decided is in the store, and a reader who finds nothing here asks there. Sequence numbers of a
task rise over attempts and restarts (the attempt is their high part), so that a resumed reader never sees one twice.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from overpaint.core.events import Preview, Progress
from overpaint.core.task import Task

EVENTS_KEPT = 256
TASKS_KEPT = 2048
ATTEMPT_SPAN = 1_000_000


@dataclass(frozen=True, slots=True)
class Queued:
    """The task waits; `position` others go before it."""

    position: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The task is final; ends the stream."""

    task: Task


Happening = Queued | Progress | Preview | Ended
Listener = Callable[[str, Happening], None]


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One thing that happened to a task.

    Args:
        sequence: rises within a task; give it back to resume after it.
        task_id: whose.
        what: the news.
        at: when it was told; UTC.
    """

    sequence: int
    task_id: str
    what: Happening
    at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)


@dataclass(slots=True)
class _Memory:
    events: deque[TaskEvent] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def forget_previews(self, news: Happening) -> None:
        """Pictures weigh: a newer look replaces the older ones of its picture, and the end replaces them all."""
        if isinstance(news, Preview | Ended):
            index = news.index if isinstance(news, Preview) else None
            kept = (event for event in self.events if not _is_preview_of(event, index))
            self.events = deque(kept, maxlen=EVENTS_KEPT)


class WatchTower:
    """Remembers the last events of each task and wakes those who wait for more. Lives on the event loop.

    Args:
        listener: hears everything too, on the event loop; for metrics.
        tasks_kept: how many tasks are remembered; the longest untouched is forgotten first.
    """

    def __init__(self, listener: Listener | None = None, tasks_kept: int = TASKS_KEPT) -> None:
        self._listener = listener
        self._tasks_kept = tasks_kept
        self._memories: OrderedDict[str, _Memory] = OrderedDict()

    def tell(self, task_id: str, attempt: int, what: Happening) -> TaskEvent:
        """Publish news of a task, and wake its watchers. What was told last is not told again."""
        memory = self._memory(task_id)
        last = memory.events[-1] if memory.events else None
        if last is not None and last.what == what:
            return last
        floor = attempt * ATTEMPT_SPAN
        if self._listener:
            self._listener(task_id, what)
        event = TaskEvent(max(floor, last.sequence if last else 0) + 1, task_id, what)
        memory.forget_previews(what)
        memory.events.append(event)
        changed, memory.changed = memory.changed, asyncio.Event()
        changed.set()
        return event

    def last_progress(self, task_id: str, until: datetime | None = None) -> Progress | None:
        """How far a task got (by the moment `until`), as far as it is remembered."""
        memory = self._memories.get(task_id)
        told = (event for event in reversed(memory.events) if until is None or event.at <= until) if memory else ()
        return next((event.what for event in told if isinstance(event.what, Progress)), None)

    def after(self, task_id: str, sequence: int) -> Iterator[TaskEvent]:
        """What is remembered of a task above `sequence`."""
        memory = self._memories.get(task_id)
        return iter([event for event in memory.events if event.sequence > sequence] if memory else [])

    async def wait(self, task_id: str, timeout_s: float, after: int = 0) -> bool:
        """Wait until there is news of a task above `after`; False when the time is up first."""
        memory = self._memory(task_id)
        if memory.events and memory.events[-1].sequence > after:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await memory.changed.wait()
        except TimeoutError:
            return False
        return True

    def _memory(self, task_id: str) -> _Memory:
        memory = self._memories.get(task_id)
        if memory is None:
            memory = self._memories[task_id] = _Memory()
            while len(self._memories) > self._tasks_kept:
                self._memories.popitem(last=False)
        else:
            self._memories.move_to_end(task_id)
        return memory


def _is_preview_of(event: TaskEvent, index: int | None) -> bool:
    """Whether an event is a preview, of picture `index` or, without, of any."""
    return isinstance(event.what, Preview) and index in (None, event.what.index)
