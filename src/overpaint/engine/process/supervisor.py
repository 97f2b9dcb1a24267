"""Keeps an engine process alive: an `EngineClient` that survives its engine.

Starts a child, starts another with growing pauses when it dies, and is ready only while a loaded and warm one runs.
What a dead child had open fails with a retryable error; giving it to the next one is the caller's decision.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from overpaint.core.engine_stats import NO_STATS, EngineStats
from overpaint.core.errors import BackendError, ConfigError, OverpaintError
from overpaint.core.events import Event
from overpaint.core.model_info import ModelInfo
from overpaint.core.ports import EngineAwayError, WritingEngine
from overpaint.core.request import GenerationRequest
from overpaint.core.terms import DEFAULT_TERMS, Terms

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How long to pause before an engine is started again.

    Args:
        first_s: after the first death.
        factor: growth with each further one.
        max_s: longest pause.
        stable_s: a child that lived this long was well; the pauses begin anew.
    """

    first_s: float = 0.5
    factor: float = 2.0
    max_s: float = 30.0
    stable_s: float = 60.0

    def pause_s(self, num_deaths: int) -> float:
        """Seconds to pause after that many deaths in a row."""
        return min(self.max_s, self.first_s * self.factor ** max(0, num_deaths - 1))


class EngineProcess(WritingEngine, Protocol):
    """What the supervisor needs of a child; `ProcessEngine` is one."""

    @property
    def is_loaded(self) -> bool:
        """Whether it is loaded, warm and alive."""
        ...

    @property
    def load_error(self) -> OverpaintError | None:
        """Why it never will be."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process id."""
        ...

    def wait_loaded(self, timeout_s: float | None = None) -> bool:
        """Wait until it is, or never will be."""
        ...


class Supervisor:
    """An engine that is started again when it dies.

    Args:
        start: starts a child; its argument is to be called when the child is gone.
        policy: how long to pause between lives.
    """

    def __init__(
        self,
        start: Callable[[Callable[[], None]], EngineProcess],
        policy: RestartPolicy | None = None,
    ) -> None:
        self._start = start
        self._policy = policy or RestartPolicy()
        self._on_change: Callable[[], object] = lambda: None
        self._lock = threading.Lock()
        self._homes: dict[str, EngineProcess] = {}
        self._info: ModelInfo | None = None
        self._num_starts = 0
        self._closing = threading.Event()
        self._current: EngineProcess | None = None
        self._thread = threading.Thread(target=self._keep_alive, name="overpaint-supervisor", daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether a loaded, warm child runs now."""
        return self._current is not None and self._current.is_loaded

    @property
    def problem(self) -> str | None:
        """Why it is not ready, for people; None when it is."""
        if self.is_ready:
            return None
        error = self._current.load_error if self._current else None
        if error:
            return error.message
        return "the engine is loading" if self._info is None else "the engine is being started again"

    @property
    def num_restarts(self) -> int:
        """How often a child was started beyond the first."""
        return max(0, self._num_starts - 1)

    @property
    def pid(self) -> int | None:
        """The process id of the present child."""
        return self._current.pid if self._current else None

    @property
    def info(self) -> ModelInfo:
        """The checkpoint, also while the engine is between two lives.

        Raises:
            BackendError: it was never loaded.
        """
        if self._info is None:
            raise BackendError(self.problem or "the engine is loading")
        return self._info

    @property
    def stats(self) -> EngineStats:
        """Of the present child; they begin anew with each."""
        return self._current.stats if self._current else NO_STATS

    def on_change(self, call: Callable[[], object]) -> None:
        """Have `call` called, from any thread, whenever readiness may have changed; now, too."""
        self._on_change = call
        call()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait for the first readiness.

        Raises:
            ConfigError: the checkpoint or the device cannot be used; starting again would not help.
        """
        deadline_s = time.monotonic() + timeout_s
        while not self.is_ready and not self._closing.is_set():
            error = self._current.load_error if self._current else None
            if isinstance(error, ConfigError):
                raise error
            if self._closing.wait(min(0.05, max(0.0, deadline_s - time.monotonic()))) or time.monotonic() > deadline_s:
                break
        return self.is_ready

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        """See `EngineClient.submit`."""
        child = self._current
        if child is None or not child.is_loaded:
            raise EngineAwayError(self.problem or "the engine is not running")
        child.submit(task_id, request, terms)
        with self._lock:
            self._homes[task_id] = child

    def events(self, task_id: str) -> Iterator[Event]:
        """See `EngineClient.events`."""
        with self._lock:
            child = self._homes.pop(task_id, None) or self._current
        if child is None:
            raise BackendError("the engine is not running")
        return child.events(task_id)

    def write(self, instructions: str, words: str, max_tokens: int) -> str:
        """See `TextWriter.write`."""
        if self._current is None:
            raise BackendError(self.problem or "the engine is not running")
        return self._current.write(instructions, words, max_tokens)

    def cancel(self, task_id: str) -> None:
        """See `EngineClient.cancel`."""
        if self._current:
            self._current.cancel(task_id)

    def close(self) -> None:
        """See `EngineClient.close`."""
        self._closing.set()
        if self._current:
            self._current.close()
        self._thread.join()

    def _keep_alive(self) -> None:
        """The supervisor's thread: one life after another."""
        num_deaths = 0
        while not self._closing.is_set():
            started_s = time.monotonic()
            try:
                self._live()
            except Exception:  # noqa: BLE001  a machine that is short of something now may have it later
                _log.exception("the engine cannot be started now")
            lived_s = time.monotonic() - started_s
            num_deaths = 1 if lived_s >= self._policy.stable_s else num_deaths + 1
            pause_s = self._policy.pause_s(num_deaths)
            if not self._closing.is_set():
                _log.error("the engine is gone after %.1f s; the next one starts in %.1f s", lived_s, pause_s)
                self._closing.wait(pause_s)

    def _live(self) -> None:
        """One child, from its start to its end."""
        ended = threading.Event()
        with closing(self._start(ended.set)) as child:  # whatever goes wrong, two never share the device
            self._num_starts += 1
            self._current = child
            if self._closing.is_set():
                child.close()
            if child.wait_loaded():
                self._info = child.info
                self._on_change()
            elif child.load_error and not self._closing.is_set():
                _log.error("the engine did not start: %s", child.load_error.message)
            ended.wait()
        self._on_change()
