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
from overpaint.core.errors import BackendError, CheckpointError, NoNumbersError, OverpaintError
from overpaint.core.events import Failed
from overpaint.core.ports import WritingEngine
from overpaint.core.request import GenerationRequest
from overpaint.engine.process.channel import Channel
from overpaint.engine.process.log_pipe import send_log
from overpaint.engine.process.messages import (
    Cancel,
    Close,
    Counted,
    Loaded,
    LoadFailed,
    Submit,
    Warming,
    Write,
    Written,
)
from overpaint.engine.process.submit_run import SubmitRun

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
    channel = Channel(pipe)
    send_log(channel.send)
    try:
        engine = open_engine()
        _warm_up_or_blame(engine, channel)
    except OverpaintError as error:
        channel.send(LoadFailed(error))
        return
    except Exception as crash:
        channel.send(LoadFailed(BackendError(f"the engine did not start: {crash!r}")))
        raise
    _log.info("%s is warm", engine.info.name)
    channel.send(Loaded(engine.info))
    _Desk(engine, channel).serve()


def _warm_up_or_blame(engine: WritingEngine, channel: Channel) -> None:
    """Warm up; where the checkpoint paints nothing, it is at fault, and another engine would not mend that."""
    try:
        warm_up(engine, lambda: channel.send(Warming()))
    except NoNumbersError as error:
        raise CheckpointError(engine.info.path, f"cannot be painted with: {error.message}") from error


def warm_up(engine: WritingEngine, tell: Callable[[], None]) -> None:
    """Paint two pictures at the default size, one step each, so that the first callers meet no cold start.

    Two, because an engine measures what sharing its device costs when pictures first share it.

    Args:
        engine: to be warmed up.
        tell: called whenever there is news of them.

    Raises:
        OverpaintError: it failed; the engine is of no use.
    """
    engine.submit(WARM_UP_ID, GenerationRequest(prompt="a blue circle", steps=1, seed=0, num_images=2))
    for event in engine.events(WARM_UP_ID):
        tell()
        if isinstance(event, Failed):
            raise event.error


class _Desk:
    """Hands orders to the engine and its events back. Never waits for the engine, so that a cancel is never late."""

    def __init__(self, engine: WritingEngine, channel: Channel) -> None:
        self._engine = engine
        self._channel = channel
        self._places = threading.Semaphore(SUBMITS_AT_ONCE)
        self._runs: list[SubmitRun] = []

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
                self._runs.append(SubmitRun(order, self._engine, self._channel, self._places, earlier))
            case Cancel():
                for run in self._runs_of(order.task_id):
                    run.cancel()
            case Write():
                threading.Thread(target=self._write, args=(order,), name="overpaint-text", daemon=True).start()

    def _runs_of(self, task_id: str) -> list[SubmitRun]:
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
