"""The borders between packages, as Protocols named by role. Adapters live in their own packages."""

from collections.abc import Iterator
from typing import Protocol

from overpaint.core.engine_stats import EngineStats
from overpaint.core.errors import BackendError
from overpaint.core.events import Event
from overpaint.core.model_info import ModelInfo
from overpaint.core.request import GenerationRequest
from overpaint.core.terms import DEFAULT_TERMS, Terms


class EngineAwayError(BackendError):
    """There is no engine now: it has not seen what was asked of it. For those between; callers see `BackendError`."""


class Clock(Protocol):
    """Monotonic time, so that tests can own it."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...


class EngineClient(Protocol):
    """Something that paints: a thread, another process, a cluster."""

    @property
    def info(self) -> ModelInfo:
        """The loaded checkpoint."""
        ...

    @property
    def stats(self) -> EngineStats:
        """What it counted since it started; as fresh as it can be had without waiting."""
        ...

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        """Take the task, or raise before taking it.

        Raises:
            RequestError: the loaded checkpoint cannot do this request.
            TaskError: `task_id` is already known.
            EngineAwayError: it was not there to take it.
            BackendError: the engine is closed, or failed.
        """
        ...

    def events(self, task_id: str) -> Iterator[Event]:
        """Yield the task's events as they come; blocks between them and ends after the final one."""
        ...

    def cancel(self, task_id: str) -> None:
        """Stop the task at the next step boundary; does nothing when it has ended."""
        ...

    def close(self) -> None:
        """Fail what is left and free the device; can be called twice."""
        ...


class TextWriter(Protocol):
    """A language model; an engine whose checkpoint has one is one."""

    def write(self, instructions: str, words: str, max_tokens: int) -> str:
        """Answer `words` as told by `instructions`; blocks.

        Raises:
            BackendError: there is no language model, or it is not running.
        """
        ...


class WritingEngine(EngineClient, TextWriter, Protocol):
    """An engine that can be asked for words, too; one without a language model says so."""
