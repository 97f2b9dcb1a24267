"""Questions to the child that have one answer each. Knows neither the pipe nor what is asked."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from overpaint.core.errors import BackendError, OverpaintError

ANSWER_S = 60.0
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Replies(Generic[Key, Value]):
    """Open questions; asked from any thread, answered from one."""

    def __init__(self) -> None:
        self._open: dict[Key, Future[Value]] = {}

    def ask(self, key: Key, send: Callable[[], None], give_up: Callable[[], None] = lambda: None) -> Value:
        """Send a question and wait for its answer.

        Args:
            key: names the question.
            send: asks it.
            give_up: called when no answer came in time, for nobody will wait for it any more.

        Raises:
            BackendError: nothing came within `ANSWER_S`.
            OverpaintError: it is the answer.
        """
        reply = self._open[key] = Future[Value]()
        try:
            send()
            return reply.result(ANSWER_S)
        except TimeoutError as exc:
            give_up()
            raise BackendError(f"the engine does not answer within {ANSWER_S:g} s") from exc
        finally:
            self._open.pop(key, None)

    def give(self, key: Key, outcome: Value | OverpaintError) -> None:
        """Answer a question; without effect when nobody waits any more."""
        reply = self._open.get(key)
        if reply is None or reply.done():  # done: whoever asked is about to take it
            return
        if isinstance(outcome, OverpaintError):
            reply.set_exception(outcome)
        else:
            reply.set_result(outcome)

    def fail_all(self, error: OverpaintError) -> None:
        """Answer all that is open with an error."""
        for key in list(self._open):
            self.give(key, error)
