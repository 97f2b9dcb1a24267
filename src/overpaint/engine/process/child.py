"""The child's side: opens an engine, warms it up, and passes orders in and events out until the pipe closes.

Runs in a fresh interpreter. The end of the pipe is the end of the parent: the process goes then, whatever it is doing,
so that no orphan keeps the device.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from overpaint.core.engine_stats import NO_STATS
from overpaint.core.errors import BackendError, OverpaintError
from overpaint.core.events import Failed
from overpaint.core.ports import WritingEngine
from overpaint.core.request import GenerationRequest
from overpaint.engine.process.log_pipe import send_log
from overpaint.engine.process.messages import (
    Accepted,
    Cancel,
    Close,
    Counted,
    FromChild,
    Loaded,
    LoadFailed,
    Refused,
    Submit,
    ToChild,
    Told,
    Write,
    Written,
)

EngineOpener = Callable[[], WritingEngine]
WARM_UP_ID = "warm-up"
GRACE_S = 8.0
COUNT_EVERY_S = 1.0
_log = logging.getLogger(__name__)


def run_child(pipe: Connection, open_engine: EngineOpener) -> None:
    """The child's whole life.

    Args:
        pipe: to the parent.
        open_engine: loads the checkpoint; picklable, for it comes from the parent.
    """
    _leave_signals_to_the_parent()
    channel = _Channel(pipe)
    send_log(channel.send)
    try:
        engine = open_engine()
        warm_up(engine)
    except OverpaintError as error:
        channel.send(LoadFailed(error))
        return
    except Exception as crash:
        channel.send(LoadFailed(BackendError(f"the engine did not start: {crash!r}")))
        raise
    _log.info("%s is warm", engine.info.name)
    channel.send(Loaded(engine.info))
    _Desk(engine, channel).serve()


def warm_up(engine: WritingEngine) -> None:
    """Paint two pictures at the default size, one step each, so that the first callers meet no cold start.

    Two, because an engine measures what sharing its device costs when pictures first share it.

    Raises:
        OverpaintError: it failed; the engine is of no use.
    """
    engine.submit(WARM_UP_ID, GenerationRequest(prompt="a blue circle", steps=1, seed=0, num_images=2))
    for event in engine.events(WARM_UP_ID):
        if isinstance(event, Failed):
            raise event.error


class _Channel:
    """Sends whole messages from any thread."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, message: FromChild) -> None:
        """Send; a parent that is gone is noticed by whoever receives."""
        try:
            with self._lock:
                self._pipe.send(message)
        except OSError:
            _log.debug("the parent is gone")

    def receive(self) -> ToChild:
        """The next order; `Close` when the parent is gone."""
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            return Close()


class _Desk:
    """Hands orders to the engine and its events back, one thread for each open task."""

    def __init__(self, engine: WritingEngine, channel: _Channel) -> None:
        self._engine = engine
        self._channel = channel
        self._listeners: list[threading.Thread] = []

    def serve(self) -> None:
        """Work until told to close."""
        threading.Thread(target=self._count, name="overpaint-counts", daemon=True).start()
        while not isinstance(order := self._channel.receive(), Close):
            match order:
                case Submit():
                    self._submit(order)
                case Cancel():
                    self._engine.cancel(order.task_id)
                case Write():
                    threading.Thread(target=self._write, args=(order,), name="overpaint-text", daemon=True).start()
        self._engine.close()
        for listener in self._listeners:
            listener.join(1.0)
        # A native library may hold a thread that never ends; nothing is left here that is worth waiting for.
        logging.shutdown()
        os._exit(0)

    def _count(self) -> None:
        """Tell every now and then what was counted, as long as the process lives."""
        told = NO_STATS
        while True:
            if (stats := self._engine.stats) != told:
                self._channel.send(Counted(stats))
                told = stats
            time.sleep(COUNT_EVERY_S)

    def _submit(self, order: Submit) -> None:
        try:
            self._engine.submit(order.task_id, order.request, order.terms)
        except OverpaintError as error:
            self._channel.send(Refused(order.task_id, error))
            return
        except Exception as crash:  # noqa: BLE001  an engine's bug costs this task and no other
            _log.exception("the engine failed to take a task")
            self._channel.send(Refused(order.task_id, BackendError(f"the engine failed: {crash!r}")))
            return
        self._channel.send(Accepted(order.task_id))
        self._listeners = [listener for listener in self._listeners if listener.is_alive()]
        listener = threading.Thread(target=self._listen, args=(order.task_id,), name=order.task_id, daemon=True)
        self._listeners.append(listener)
        listener.start()

    def _write(self, order: Write) -> None:
        outcome: str | OverpaintError
        try:
            outcome = self._engine.write(order.instructions, order.words, order.max_tokens)
        except OverpaintError as error:
            outcome = error
        except Exception as crash:  # noqa: BLE001  whoever waits for this text must hear of its end
            _log.exception("the engine failed to write")
            outcome = BackendError(f"the engine failed: {crash!r}")
        self._channel.send(Written(order.text_id, outcome))

    def _listen(self, task_id: str) -> None:
        try:
            for event in self._engine.events(task_id):
                self._channel.send(Told(event))
        except Exception as crash:  # noqa: BLE001  whoever waits for this task must hear of its end
            _log.exception("the engine failed on a task")
            self._channel.send(Told(Failed(task_id, BackendError(f"the engine failed: {crash!r}"))))


def _leave_signals_to_the_parent() -> None:
    """Ctrl-C and a service manager's TERM reach every process; the parent needs a moment to hand work back first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later)


def _end_later(_number: int, _frame: object) -> None:
    last_call = threading.Timer(GRACE_S, os._exit, (0,))
    last_call.daemon = True
    last_call.start()
