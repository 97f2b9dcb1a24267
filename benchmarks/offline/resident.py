"""Something opened in a process of its own, idle between calls.

In one process two sides of a comparison disturb each other: every thread that computes brings a team of OpenMP workers
along, and with more teams than cores libgomp stops spinning for all of them.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Resident(Generic[T]):
    """One process with one thing in it.

    Args:
        opener: makes it there, as a context that is left when the resident closes; module-level.
        arguments: for the opener.
    """

    def __init__(self, opener: Callable[P, AbstractContextManager[T]], *arguments: P.args, **named: P.kwargs) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, initializer=_open, initargs=(opener, arguments, named))

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function(thing, *arguments)` gives there; module-level, and waited for."""
        return self._pool.submit(_call, function, arguments).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._pool.submit(_close).result()
        self._pool.shutdown()


_held: list[tuple[AbstractContextManager[Any], Any]] = []


def _open(
    opener: Callable[..., AbstractContextManager[Any]], arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    context = opener(*arguments, **named)
    _held.append((context, context.__enter__()))


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(_held[0][1], *arguments)


def _close() -> None:
    context, _ = _held.pop()
    context.__exit__(None, None, None)
