"""One task in the child, from the order to its last event. Knows no other task, and no pipe but through its channel."""

import logging
import threading

from overpaint.core.errors import BackendError, CancelledTaskError, OverpaintError
from overpaint.core.events import Failed
from overpaint.core.ports import WritingEngine
from overpaint.engine.process.channel import Channel
from overpaint.engine.process.messages import Accepted, Refused, Submit, Told

_log = logging.getLogger(__name__)


class SubmitRun:
    """One submit, on a thread of its own: the engine takes the task, and its events are passed on to the end.

    Args:
        order: what to submit.
        engine: takes it.
        channel: hears of it.
        places: for as many as may submit at once.
        earlier: cancelled runs of the same task, which end first.
    """

    def __init__(
        self,
        order: Submit,
        engine: WritingEngine,
        channel: Channel,
        places: threading.Semaphore,
        earlier: "list[SubmitRun]",
    ) -> None:
        self.task_id = order.task_id
        self.is_cancelled = False
        self._engine = engine
        self._channel = channel
        self._places = places
        self._lock = threading.Lock()
        self._is_taken = False
        self.thread = threading.Thread(target=self._live, args=(order, earlier), name=order.task_id, daemon=True)
        self.thread.start()

    def cancel(self) -> None:
        """Stop it: now, or as soon as the engine has taken it."""
        with self._lock:
            self.is_cancelled = True
            is_taken = self._is_taken
        if is_taken:
            self._stop()

    def _live(self, order: Submit, earlier: "list[SubmitRun]") -> None:
        for run in earlier:
            run.thread.join()
        if error := self._submit(order):
            self._channel.send(Refused(order.run, error))
            return
        self._channel.send(Accepted(order.run))
        try:
            self._listen(order.run)
        except Exception as crash:  # noqa: BLE001  whoever waits for this task must hear of its end
            _log.exception("the engine failed on a task")
            error = BackendError(f"the engine failed: {crash!r}")
            self._channel.send(Told(order.run, Failed(self.task_id, error)))

    def _submit(self, order: Submit) -> OverpaintError | None:
        """Have the engine take the task; why it does not."""
        try:
            with self._places:
                if self.is_cancelled:
                    return CancelledTaskError(f"task {self.task_id} was cancelled")
                self._engine.submit(self.task_id, order.request, order.terms)
        except OverpaintError as error:
            return error
        except Exception as crash:  # noqa: BLE001  an engine's bug costs this task and no other
            _log.exception("the engine failed to take a task")
            return BackendError(f"the engine failed: {crash!r}")
        return None

    def _listen(self, number: int) -> None:
        with self._lock:
            self._is_taken = True
        if self.is_cancelled:
            self._stop()
        for event in self._engine.events(self.task_id):
            self._channel.send(Told(number, event))

    def _stop(self) -> None:
        """Have the engine stop it; where a bug keeps it from that, its picture is still told of."""
        try:
            self._engine.cancel(self.task_id)
        except Exception:  # noqa: BLE001  a bug costs this cancel and nothing else
            _log.exception("the engine failed to cancel a task")
