"""What the child opens in these tests. Module-level, because a spawned process imports them by name."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator

from overpaint.core.config import ModelConfig
from overpaint.core.engine_stats import EngineStats
from overpaint.core.errors import BackendError, CheckpointError, NoNumbersError
from overpaint.core.events import Event, Failed
from overpaint.core.ports import WritingEngine
from overpaint.core.request import GenerationRequest
from overpaint.core.terms import DEFAULT_TERMS, Terms
from overpaint.engine.null import NullEngine
from overpaint.engine.process.child import WARM_UP_ID

FLOOD = 50_000
SLOW_S = 3.0


def open_null(step_s: float = 0.0) -> WritingEngine:
    return NullEngine(step_s)


def open_nothing() -> WritingEngine:
    raise CheckpointError("/nowhere", "does not exist")


def open_broken() -> WritingEngine:
    raise RuntimeError("a bug at start")


def open_never() -> WritingEngine:
    threading.Event().wait()
    raise AssertionError


def open_busily() -> WritingEngine:
    """Loads for longer than it may be quiet, and takes memory for what it loads."""
    end_s, held = time.monotonic() + SLOW_S, list[bytes]()
    while time.monotonic() < end_s:
        held.append(os.urandom(1 << 16))
        time.sleep(0.01)
    return NullEngine()


def open_in_circles() -> WritingEngine:
    while True:
        pass


class Painting(NullEngine):
    """Paints no numbers."""

    def events(self, task_id: str) -> Iterator[Event]:
        yield Failed(task_id, NoNumbersError())


def open_painting_nothing() -> WritingEngine:
    return Painting()


class Clumsy(NullEngine):
    """Fails in ways that engines must not."""

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        if request.prompt == "bug in submit":
            raise ValueError("a bug")
        super().submit(task_id, request, terms)

    def events(self, task_id: str) -> Iterator[Event]:
        first = self._tasks[task_id].prompt == "bug in events"
        for event in super().events(task_id):
            yield event
            if first:
                raise ValueError("another bug")

    def cancel(self, task_id: str) -> None:
        if self._tasks[task_id].prompt == "bug in cancel":
            raise ValueError("a third bug")
        super().cancel(task_id)


class Slow(NullEngine):
    """Takes its time to take a slow task, the first time that it sees it."""

    def __init__(self) -> None:
        super().__init__(0.05)
        self._read: set[str] = set()

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        super().submit(task_id, request, terms)
        if request.prompt == "slow" and task_id not in self._read:
            self._read.add(task_id)
            time.sleep(SLOW_S)


def open_slow() -> WritingEngine:
    return Slow()


class Crashing(NullEngine):
    """Ends by itself when it is asked to, and says how to all that it holds."""

    def __init__(self) -> None:
        super().__init__(0.05)
        self.crashed = threading.Event()

    def events(self, task_id: str) -> Iterator[Event]:
        if self._tasks[task_id].prompt == "crash":
            self.crashed.set()
        for event in super().events(task_id):
            if self.crashed.is_set():
                yield Failed(task_id, BackendError("the engine stopped"))
                return
            yield event


def open_crashing() -> WritingEngine:
    return Crashing()


class Miscounting(NullEngine):
    """Cannot tell at first what it has counted."""

    num_asked = 0

    @property
    def stats(self) -> EngineStats:
        self.num_asked += 1
        if self.num_asked == 1:
            raise RuntimeError("dictionary changed size during iteration")
        return EngineStats(num_steps=7)


def open_miscounting() -> WritingEngine:
    return Miscounting()


class Counting(NullEngine):
    """Says that it has counted something."""

    @property
    def stats(self) -> EngineStats:
        return EngineStats(num_steps=7)


class DyingWriter(NullEngine):
    """Is killed while it thinks."""

    def write(self, instructions: str, words: str, max_tokens: int) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().write(instructions, words, max_tokens)


def open_dying_writer() -> WritingEngine:
    return DyingWriter()


class Hanging(NullEngine):
    """Takes tasks and never says anything about them."""

    def events(self, task_id: str) -> Iterator[Event]:
        if task_id != WARM_UP_ID:
            threading.Event().wait()
        return super().events(task_id)


def open_hanging() -> WritingEngine:
    return Hanging()


def open_counting() -> WritingEngine:
    return Counting()


def open_clumsy(step_s: float = 0.0) -> WritingEngine:
    return Clumsy(step_s)


def open_real(model: ModelConfig) -> WritingEngine:
    from overpaint.compose.engine import open_engine

    return open_engine(model)


class Talkative(NullEngine):
    """Logs what it is asked to, and a little of what it must not."""

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        log = logging.getLogger("overpaint.engine.talkative")
        if request.prompt == "flood":
            for number in range(FLOOD):
                log.info("line %d", number)
        try:
            raise ValueError("a bug")
        except ValueError:
            log.exception("task %s went wrong", task_id, extra={"prompt": request.prompt})
        logging.getLogger("library").warning("%d words that do not fit together", "several")
        logging.getLogger("library").info("a library's chatter")
        logging.getLogger("library").warning("a library's warning")
        super().submit(task_id, request, terms)


def open_talkative() -> WritingEngine:
    return Talkative()


def open_dying() -> WritingEngine:
    logging.getLogger("overpaint.engine.dying").error("this will not end well")
    raise CheckpointError("/nowhere", "does not exist")


def wait_for_steps(engine: WritingEngine, number: int) -> int:
    """The steps that an engine says it has counted, once it says so many, or after ten seconds."""
    deadline_s = time.monotonic() + 10
    while engine.stats.num_steps != number and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return engine.stats.num_steps
