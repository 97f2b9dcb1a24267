"""Where the events of open tasks wait for their reader, one box for each task. Thread-safe; knows no process."""

import queue
import threading
from collections.abc import Iterator

from overpaint.core.errors import OverpaintError, TaskError
from overpaint.core.events import Event, Failed, is_final


class Mailboxes:
    """Open tasks and their events."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._boxes: dict[str, queue.SimpleQueue[Event]] = {}
        self._open: dict[str, int] = {}

    @property
    def open_tasks(self) -> frozenset[str]:
        """Tasks whose final event has not come."""
        with self._lock:
            return frozenset(self._open)

    def open(self, task_id: str, run: int) -> None:
        """Start a task's box.

        Args:
            task_id: names the task.
            run: which of its submits the box is for.

        Raises:
            TaskError: it has one.
        """
        with self._lock:
            if task_id in self._boxes:
                raise TaskError(f"task {task_id} is known already")
            self._boxes[task_id] = queue.SimpleQueue()
            self._open[task_id] = run

    def forget(self, task_id: str) -> None:
        """Remove a box that nobody will read."""
        with self._lock:
            self._boxes.pop(task_id, None)
            self._open.pop(task_id, None)

    def put(self, event: Event, run: int) -> None:
        """Leave an event for its task's reader; what comes after the end, or of an earlier run, is dropped."""
        with self._lock:
            if self._open.get(event.task_id) != run:
                return
            if is_final(event):
                del self._open[event.task_id]
            self._boxes[event.task_id].put(event)

    def fail_all(self, error: OverpaintError) -> None:
        """End every open task."""
        with self._lock:
            runs = dict(self._open)
        for task_id, run in runs.items():
            self.put(Failed(task_id, error), run)

    def listen(self, task_id: str) -> Iterator[Event]:
        """Yield a task's events until it ends, then forget it.

        Raises:
            TaskError: it is not known.
        """
        with self._lock:
            box = self._boxes.get(task_id)
        if box is None:
            raise TaskError(f"task {task_id} is not known")
        return self._drain(task_id, box)

    def _drain(self, task_id: str, box: "queue.SimpleQueue[Event]") -> Iterator[Event]:
        while True:
            event = box.get()
            if is_final(event):
                self.forget(task_id)
                yield event
                return
            yield event
