"""Texts that the engine writes beside its pictures: one token between two ticks, so that no picture waits for a text.

Steps belong to the engine's thread; texts are asked for from any. A text that takes too long is given up, or where
ticks are long the next ones would wait behind texts that nobody waits for any more. Torch-free.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from time import monotonic

from overpaint.core.errors import BackendError, OverpaintError

Text = Generator[None, None, str]
LONGEST_S = 60.0
"""From its question to its end; who asks from another process waits no longer either (`process.replies`)."""


class Writing:
    """Texts under way, in order of arrival.

    Args:
        now_s: seconds since an arbitrary start.
    """

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._texts: deque[tuple[Text, Future[str], float]] = deque()

    @property
    def has_work(self) -> bool:
        """Whether a text is not finished."""
        return bool(self._texts)

    def add(self, start: Callable[[], Text]) -> "Future[str]":
        """Have a text written; its future ends with it."""
        future: Future[str] = Future()
        with self._lock:
            self._texts.append((start(), future, self._now_s() + LONGEST_S))
        return future

    def step(self) -> None:
        """Write one token of the first text, or give it up."""
        text, future, until_s = self._texts[0]
        try:
            if self._now_s() > until_s:
                raise BackendError(f"the text was not written within {LONGEST_S:g} s")
            next(text)
            return
        except StopIteration as end:
            future.set_result(end.value)
        except OverpaintError as error:
            future.set_exception(error)
        except Exception as crash:  # noqa: BLE001  a text that cannot be written costs no picture
            future.set_exception(BackendError(f"the text could not be written: {crash!r}"))
        with self._lock:
            self._texts.popleft()

    def fail(self, error: OverpaintError) -> None:
        """End all of them."""
        with self._lock:
            texts = list(self._texts)
            self._texts.clear()
        for _, future, _ in texts:
            future.set_exception(error)
