"""Calls that arrive while an earlier batch is under way are done together in the next one.

The first call is not held back: a lone one costs nothing extra, and under load the batches grow by themselves to what
arrived during one commit. Knows no database.
"""

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from overpaint.core.errors import BackendError

In = TypeVar("In")
Out = TypeVar("Out")

MAX_BATCH = 256


class Coalescer(Generic[In, Out]):
    """Turns many calls with one item into few calls with many.

    Args:
        run: does a batch; answers each item with its result, or with the exception that its caller shall see.
            What it raises, every caller of the batch sees.
        max_batch: most items in a batch.
    """

    def __init__(
        self, run: Callable[[Sequence[In]], Awaitable[Sequence[Out | Exception]]], *, max_batch: int = MAX_BATCH
    ) -> None:
        self._run = run
        self._max_batch = max_batch
        self._waiting: deque[tuple[In, asyncio.Future[Out]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, item: In) -> Out:
        """Have `item` done in some batch that starts after this call."""
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while batch := self._take():
                await self._answer(batch)
        finally:
            self._worker = None
            for _, future in self._waiting:  # only when this task itself was cancelled, that is: the loop ends
                future.cancel()
            self._waiting.clear()

    def _take(self) -> list[tuple[In, asyncio.Future[Out]]]:
        batch: list[tuple[In, asyncio.Future[Out]]] = []
        while self._waiting and len(batch) < self._max_batch:
            item, future = self._waiting.popleft()
            if not future.done():  # its caller was cancelled while it waited
                batch.append((item, future))
        return batch

    async def _answer(self, batch: Sequence[tuple[In, asyncio.Future[Out]]]) -> None:
        try:
            outcomes = await self._run([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is the callers' to see; none may wait for ever
            outcomes = [_twin(exc) for _ in batch]
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _twin(exc: Exception) -> Exception:
    """An equal exception: one object raised at many callers would collect all their tracebacks."""
    try:
        twin = copy.copy(exc)
    except TypeError:
        twin = BackendError(str(exc))
    twin.__cause__ = exc
    return twin
