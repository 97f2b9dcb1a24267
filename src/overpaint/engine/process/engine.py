"""One child process and the parent's side of its pipe: an `EngineClient` that lives as long as the child does.

When the child dies, every open task fails with a retryable `BackendError`; starting another one is the supervisor's.
A child that hangs is killed: one that owes pictures and says nothing for too long, or loads and does not get on.
"""

import itertools
import logging
import math
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator

from overpaint.core.engine_stats import NO_STATS, EngineStats
from overpaint.core.errors import BackendError, OverpaintError
from overpaint.core.events import Event
from overpaint.core.model_info import ModelInfo
from overpaint.core.ports import EngineAwayError
from overpaint.core.request import GenerationRequest
from overpaint.core.terms import DEFAULT_TERMS, Terms
from overpaint.engine.process.child import EngineOpener, run_child
from overpaint.engine.process.log_pipe import repeat
from overpaint.engine.process.mailboxes import Mailboxes
from overpaint.engine.process.messages import (
    Accepted,
    Cancel,
    Close,
    Counted,
    FromChild,
    Loaded,
    LoadFailed,
    Logged,
    Refused,
    Submit,
    ToChild,
    Told,
    Warming,
    Write,
    Written,
)
from overpaint.engine.process.pulse import Pulse
from overpaint.engine.process.replies import Replies

CLOSE_S = 5.0
KILL_S = 2.0
_LOOK_S = 1.0
_log = logging.getLogger(__name__)


class ProcessEngine:
    """An engine in a child process.

    Args:
        open_engine: loads the checkpoint there; a module-level function or a partial of one.
        on_end: called once, from a thread, when the child is gone.
        stall_s: longest silence while tasks are open, longer than its longest tick; and longest time that it does
            not get on while it loads (`pulse`).

    Raises:
        OSError: the machine is out of memory, processes or descriptors.
    """

    def __init__(
        self, open_engine: EngineOpener, on_end: Callable[[], None] | None = None, stall_s: float = math.inf
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._process = context.Process(
            target=run_child, args=(child_pipe, open_engine), name="overpaint-engine", daemon=True
        )
        self._on_end = on_end
        self._stall_s = stall_s
        self._boxes = Mailboxes()
        self._answers = Replies[int, None]()
        self._runs = itertools.count()
        self._texts = Replies[int, str]()
        self._text_ids = itertools.count()
        self._lock = threading.Lock()
        self._info: ModelInfo | None = None
        self._stats = NO_STATS
        self._load_error: OverpaintError | None = None
        self._settled = threading.Event()
        self._gone = threading.Event()
        self._is_closing = False
        self._reader = threading.Thread(target=self._read, name="overpaint-engine-reader", daemon=True)
        try:
            self._begin()
        finally:
            child_pipe.close()  # else the end of the child would not be the end of the pipe

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._process.pid

    @property
    def is_loaded(self) -> bool:
        """Whether the child is loaded, warm and alive."""
        return self._info is not None and not self._is_closing

    @property
    def load_error(self) -> OverpaintError | None:
        """Why there is no engine, once that is known."""
        return self._load_error

    @property
    def info(self) -> ModelInfo:
        """The loaded checkpoint.

        Raises:
            BackendError: it is not loaded (yet).
        """
        if self._info is None:
            raise self._load_error or BackendError("the engine is loading")
        return self._info

    @property
    def stats(self) -> EngineStats:
        """What the child last told."""
        return self._stats

    def wait_loaded(self, timeout_s: float | None = None) -> bool:
        """Wait until the child can work or is known to never will; whether it can."""
        self._settled.wait(timeout_s)
        return self.is_loaded

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        """See `EngineClient.submit`."""
        if not self.is_loaded:
            raise EngineAwayError("the engine is not running")
        run = next(self._runs)
        self._boxes.open(task_id, run)
        try:
            self._answers.ask(
                run, lambda: self._send(Submit(run, task_id, request, terms)), give_up=lambda: self.cancel(task_id)
            )
        except BaseException:
            self._boxes.forget(task_id)
            raise

    def events(self, task_id: str) -> Iterator[Event]:
        """See `EngineClient.events`."""
        return self._boxes.listen(task_id)

    def write(self, instructions: str, words: str, max_tokens: int) -> str:
        """See `TextWriter.write`."""
        if not self.is_loaded:
            raise BackendError("the engine is not running")
        text_id = next(self._text_ids)
        return self._texts.ask(text_id, lambda: self._send(Write(text_id, instructions, words, max_tokens)))

    def cancel(self, task_id: str) -> None:
        """See `EngineClient.cancel`."""
        if task_id in self._boxes.open_tasks and self.is_loaded:
            try:
                self._send(Cancel(task_id))
            except BackendError:
                _log.debug("no engine is left to cancel %s in", task_id)

    def close(self) -> None:
        """See `EngineClient.close`; takes at most `CLOSE_S` + 2 x `KILL_S`."""
        if not self._is_closing:
            self._is_closing = True
            try:
                self._send(Close())
            except BackendError:
                _log.debug("the engine was gone before it was closed")
        if self._info is None:
            self._process.kill()  # it is loading and will not read its orders for a while
        if not self._gone.wait(CLOSE_S):
            _log.warning("the engine does not end, killing it")
            self._process.kill()
            self._gone.wait(KILL_S)
        self._reader.join(KILL_S)

    def _begin(self) -> None:
        """Start the child and whoever listens to it; where that fails, nothing of them is left."""
        try:
            self._process.start()
            self._pulse = Pulse(self._process.pid)
            self._reader.start()
        except BaseException:
            self._pipe.close()
            if self._process.is_alive():
                self._process.kill()
            raise

    def _send(self, order: ToChild) -> None:
        try:
            with self._lock:
                self._pipe.send(order)
        except OSError as exc:
            raise EngineAwayError("the engine is gone") from exc

    def _read(self) -> None:
        """The reader's thread: sort what comes until the pipe ends, then answer everybody and tell of the end."""
        try:
            while True:
                self._listen()
                self._sort(self._pipe.recv())
        except (EOFError, OSError):
            pass
        finally:
            try:
                self._end()
            finally:
                if self._on_end:
                    self._on_end()

    def _listen(self) -> None:
        """Wait for something to read, which the end of the pipe is, too."""
        quiet_since_s = time.monotonic()
        while not self._pipe.poll(_LOOK_S):
            if self._may_be_quiet():
                quiet_since_s = time.monotonic()
            elif time.monotonic() - quiet_since_s > self._stall_s:
                does = "owes pictures and has said nothing" if self._info else "loads and has not got on"
                _log.error("the engine %s for %g s, killing it", does, self._stall_s)
                self._process.kill()
                return

    def _may_be_quiet(self) -> bool:
        """Whether nothing is to be heard of it now: it owes nothing, or is at work on its checkpoint."""
        return not self._boxes.open_tasks if self._info else self._pulse.beats()

    def _sort(self, message: FromChild) -> None:
        match message:
            case Warming():
                pass  # that it came is all there is to it
            case Loaded(info):
                self._info = info
                self._settled.set()
            case LoadFailed(error):
                self._load_error = error
            case Accepted(run):
                self._answers.give(run, None)
            case Refused(run, error):
                self._answers.give(run, error)
            case Told(run, event):
                self._boxes.put(event, run)
            case Written(text_id, outcome):
                self._texts.give(text_id, outcome)
            case Counted(stats):
                self._stats = stats
            case Logged():
                repeat(message)

    def _end(self) -> None:
        """Only here is the child waited for, or asked whether it lives: of two threads, one may be told it does."""
        self._process.join(KILL_S)
        if self._process.is_alive():
            self._process.kill()  # nobody hears it any more, and it must not keep the device from the next one
            self._process.join(KILL_S)
        self._gone.set()
        self._is_closing = True
        if self._info is None and self._load_error is None:
            self._load_error = BackendError(f"the engine ended while loading ({self._last_words()})")
        error = BackendError(f"the engine ended while it worked on this ({self._last_words()})")
        for waiting in (self._answers, self._texts, self._boxes):
            waiting.fail_all(error)
        self._settled.set()

    def _last_words(self) -> str:
        code = self._process.exitcode
        return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
