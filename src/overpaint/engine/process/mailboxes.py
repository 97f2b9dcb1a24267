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
        self._open: set[str] = set()

    @property
    def open_tasks(self) -> frozenset[str]:
        """Tasks whose final event has not come."""
        with self._lock:
            return frozenset(self._open)

    def open(self, task_id: str) -> None:
        """Start a task's box.

        Raises:
            TaskError: it has one.
        """
        with self._lock:
            if task_id in self._boxes:
                raise TaskError(f"task {task_id} is known already")
            self._boxes[task_id] = queue.SimpleQueue()
            self._open.add(task_id)

    def forget(self, task_id: str) -> None:
        """Remove a box that nobody will read."""
        with self._lock:
            self._boxes.pop(task_id, None)
            self._open.discard(task_id)

    def put(self, event: Event) -> None:
        """Leave an event for its task's reader; what comes after the end is dropped."""
        with self._lock:
            if event.task_id not in self._open:
                return
            if is_final(event):
                self._open.discard(event.task_id)
            self._boxes[event.task_id].put(event)

    def fail_all(self, error: OverpaintError) -> None:
        """End every open task."""
        for task_id in self.open_tasks:
            self.put(Failed(task_id, error))

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
