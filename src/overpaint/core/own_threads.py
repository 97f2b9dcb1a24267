"""Threads for blocking calls that may hang, apart from those that files are read on.

Whoever has waited long enough goes away and leaves the call behind. The interpreter's exit waits for every thread that
`concurrent.futures` has started, however long a resolver keeps it; these are daemons, for which nobody waits.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class OwnThreads:
    """A few threads that are there as long as there are calls.

    Args:
        name: of the threads.
        most: calls at a time; one that was left behind counts until it returns.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._num_threads = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Lock()

    async def run(self, call: Callable[[], Result]) -> Result:
        """What `call` returns or raises; while all threads are busy it waits, as long as whoever asks does."""
        future = Future[Result]()
        with self._lock:
            if self._num_threads < self._most:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
                self._num_threads += 1
            self._waiting.append((future, call))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        """A thread: calls as long as any wait."""
        while (found := self._next()) is not None:
            future, call = found
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  raised again for the caller
                future.set_exception(error)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        """The longest waiting call that is still wanted; None ends the thread."""
        with self._lock:
            while self._waiting:
                future, call = self._waiting.popleft()
                if future.set_running_or_notify_cancel():
                    return future, call
            self._num_threads -= 1
            return None
