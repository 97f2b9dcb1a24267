"""What happens to tasks, told to whoever watches: numbered events with a short memory, so that a reader can come back.

In memory only: what is decided is in the store, and a reader who finds nothing here asks there. Sequence numbers of a task
rise over attempts and restarts (the attempt is their high part), so that a resumed reader never sees one twice.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from overpaint.core.events import Preview, Progress
from overpaint.core.task import Task


@dataclass(frozen=True, slots=True)
class Queued:
    """The task waits; `position` others go before it."""

    position: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The task is final; ends the stream."""

    task: Task


Happening = Queued | Progress | Preview | Ended


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One thing that happened to a task.

    Args:
        sequence: rises within a task; give it back to resume after it.
        task_id: whose.
        what: the news.
    """

    sequence: int
    task_id: str
    what: Happening


class WatchTower:
    """Remembers the last events of each task and wakes those who wait for more. Lives on the event loop."""

    def tell(self, task_id: str, attempt: int, what: Happening) -> None:
        """Publish news of a task."""
        raise NotImplementedError

    def events(self, task_id: str, after: int = 0) -> AsyncIterator[TaskEvent]:
        """Yield remembered and new events above `after`, until `Ended`."""
        raise NotImplementedError
