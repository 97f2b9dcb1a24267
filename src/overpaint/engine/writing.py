"""Texts that the engine writes beside its pictures: one token between two ticks, so that no picture waits for a text.

Steps belong to the engine's thread; texts are asked for from any. Torch-free.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future

from overpaint.core.errors import BackendError, OverpaintError

Text = Generator[None, None, str]


class Writing:
    """Texts under way, in order of arrival."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: deque[tuple[Text, Future[str]]] = deque()

    @property
    def has_work(self) -> bool:
        """Whether a text is not finished."""
        return bool(self._texts)

    def add(self, start: Callable[[], Text]) -> "Future[str]":
        """Have a text written; its future ends with it."""
        future: Future[str] = Future()
        with self._lock:
            self._texts.append((start(), future))
        return future

    def step(self) -> None:
        """Write one token of the first text."""
        text, future = self._texts[0]
        try:
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
        for _, future in texts:
            future.set_exception(error)
