"""Work that is done again and again until the server stops: at an interval, or as soon as somebody wakes it.

A turn that fails is logged and the next one comes all the same; what it could not do is still in the store.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from overpaint.core.errors import OverpaintError
from overpaint.core.trouble import Trouble

_log = logging.getLogger(__name__)


class Loop:
    """Calls a function until stopped.

    Args:
        name: for the log.
        turn: one piece of work; True when there is more to do at once.
        interval_s: pause after a turn without more.
    """

    def __init__(self, name: str, turn: Callable[[], Awaitable[bool]], interval_s: float) -> None:
        self._name = name
        self._turn = turn
        self._interval_s = interval_s
        self._trouble = Trouble(name, _log)
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first turn comes at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=self._name)

    def wake(self) -> None:
        """Have the next turn come now."""
        self._woken.set()

    async def stop(self) -> None:
        """End, in the middle of a turn if need be."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            if not await self._safe_turn():
                await self._pause()

    async def _safe_turn(self) -> bool:
        try:
            is_more = await self._turn()
        except OverpaintError as error:
            self._trouble.failed(error.message)
        except Exception:  # noqa: BLE001  a bug in one turn must not end all further ones
            _log.exception("%s failed", self._name)
        else:
            self._trouble.worked()
            return is_more
        return False

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._woken.wait()
        except TimeoutError:
            return
