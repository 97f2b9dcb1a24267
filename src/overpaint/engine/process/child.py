"""The child's side: opens an engine, warms it up, and passes orders in and events out until the pipe closes.

Runs in a fresh interpreter. The end of the pipe is the end of the parent: the process goes then, whatever it is doing,
so that no orphan keeps the device. It goes with its engine, too, so that another one can be started.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Protocol, runtime_checkable

from overpaint.core.engine_stats import NO_STATS
from overpaint.core.errors import BackendError, CancelledTaskError, OverpaintError
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
LAST_WORDS_S = 2.0
SUBMITS_AT_ONCE = 8
CRASHED = 1
_log = logging.getLogger(__name__)


@runtime_checkable
class Crashable(Protocol):
    """An engine that may end by itself; `crashed` is set once it has and everybody was answered."""

    crashed: threading.Event


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


class _Run:
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
        channel: _Channel,
        places: threading.Semaphore,
        earlier: "list[_Run]",
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

    def _live(self, order: Submit, earlier: "list[_Run]") -> None:
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


class _Desk:
    """Hands orders to the engine and its events back. Never waits for the engine, so that a cancel is never late."""

    def __init__(self, engine: WritingEngine, channel: _Channel) -> None:
        self._engine = engine
        self._channel = channel
        self._places = threading.Semaphore(SUBMITS_AT_ONCE)
        self._runs: list[_Run] = []

    def serve(self) -> None:
        """Work until told to close, or until the engine has ended by itself; the process ends with it."""
        threading.Thread(target=self._count, name="overpaint-counts", daemon=True).start()
        if isinstance(self._engine, Crashable):
            crashed = self._engine.crashed
            threading.Thread(target=self._watch, args=(crashed,), name="overpaint-watch", daemon=True).start()
        while not isinstance(order := self._channel.receive(), Close):
            try:
                self._obey(order)
            except Exception:  # noqa: BLE001  a bug costs this order and no other
                _log.exception("the engine failed on an order")
        self._engine.close()
        self._leave(0)

    def _obey(self, order: Submit | Cancel | Write) -> None:
        match order:
            case Submit():
                self._runs = [run for run in self._runs if run.thread.is_alive()]
                earlier = [run for run in self._runs_of(order.task_id) if run.is_cancelled]
                self._runs.append(_Run(order, self._engine, self._channel, self._places, earlier))
            case Cancel():
                for run in self._runs_of(order.task_id):
                    run.cancel()
            case Write():
                threading.Thread(target=self._write, args=(order,), name="overpaint-text", daemon=True).start()

    def _runs_of(self, task_id: str) -> list[_Run]:
        return [run for run in self._runs if run.task_id == task_id]

    def _count(self) -> None:
        """Tell every now and then what was counted, as long as the process lives."""
        told = NO_STATS
        while True:
            try:
                if (stats := self._engine.stats) != told:
                    self._channel.send(Counted(stats))
                    told = stats
            except Exception:  # noqa: BLE001  for want of numbers no picture fails
                _log.exception("the engine failed to count")
            time.sleep(COUNT_EVERY_S)

    def _watch(self, crashed: threading.Event) -> None:
        """End after the engine: a process without one would refuse all that comes."""
        crashed.wait()
        _log.error("the engine has crashed; its process ends")
        self._leave(CRASHED)

    def _leave(self, code: int) -> None:
        """End the process, when everybody has heard how their tasks ended."""
        deadline_s = time.monotonic() + LAST_WORDS_S
        for run in self._runs:
            run.thread.join(max(0.0, deadline_s - time.monotonic()))
        # A native library may hold a thread that never ends; nothing is left here that is worth waiting for.
        logging.shutdown()
        os._exit(code)

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


def _leave_signals_to_the_parent() -> None:
    """Ctrl-C and a service manager's TERM reach every process; the parent needs a moment to hand work back first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later)


def _end_later(_number: int, _frame: object) -> None:
    last_call = threading.Timer(GRACE_S, os._exit, (0,))
    last_call.daemon = True
    last_call.start()
