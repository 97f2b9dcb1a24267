"""Many together or one alone: a task that may have killed the engine is kept away from those that stood beside it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Gate:
    """Lets any number in together, or one alone; who wants to be alone is not overtaken by newcomers."""

    def __init__(self) -> None:
        self._condition = asyncio.Condition()
        self._num_inside = 0
        self._num_waiting_alone = 0
        self._is_alone = False

    @asynccontextmanager
    async def enter(self, *, is_alone: bool) -> AsyncGenerator[None]:
        """Wait for one's turn, and hold it."""
        await (self._enter_alone() if is_alone else self._enter_together())
        try:
            yield
        finally:
            await self._leave(is_alone)

    async def _enter_together(self) -> None:
        async with self._condition:
            await self._condition.wait_for(lambda: not self._is_alone and not self._num_waiting_alone)
            self._num_inside += 1

    async def _enter_alone(self) -> None:
        async with self._condition:
            self._num_waiting_alone += 1
            try:
                await self._condition.wait_for(lambda: not self._is_alone and not self._num_inside)
                self._is_alone = True
            finally:
                self._num_waiting_alone -= 1
                self._condition.notify_all()

    async def _leave(self, is_alone: bool) -> None:
        async with self._condition:
            if is_alone:
                self._is_alone = False
            else:
                self._num_inside -= 1
            self._condition.notify_all()
