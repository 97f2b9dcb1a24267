"""A thread that passes: it computes something and is gone. Torch-free.

OpenMP keeps a team of workers for every thread that ever multiplied in parallel. With more workers than cores libgomp
stops them from spinning between products, and every product on a CPU then waits for a wake-up: a small picture took
twice as long (benchmarks/offline/single.py). So whoever is not the engine's thread computes in one of these.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")


def in_passing_thread(call: Callable[[], _T]) -> _T:
    """What `call` returns or raises, from a thread that has ended; an interrupt does not wait for it."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  raised again for the caller
            future.set_exception(error)

    thread = threading.Thread(target=run, name="overpaint-passing", daemon=True)
    thread.start()
    result = future.result()
    thread.join()
    return result
