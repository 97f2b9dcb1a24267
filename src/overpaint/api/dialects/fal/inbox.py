"""Messages of a realtime connection that wait for their answers: the newest ones. Knows no socket.

fal drops old messages in favour of newer ones, so whoever is answered slowly can go on sending, and hanging up is seen.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

MAX_BUFFERED = 60
"""Messages, and the most that ``max_buffering`` can ask for."""
MAX_BUFFERED_BYTES = 64 * 1024 * 1024
Message = Mapping[str, Any]


class Inbox:
    """The messages that wait.

    Args:
        max_buffering: how many at most, as the address says; what is no number from 1 to 60 is 60.
    """

    def __init__(self, max_buffering: str = "") -> None:
        asked = int(max_buffering) if max_buffering.isascii() and max_buffering.isdigit() else 0
        self._max_messages = asked if 1 <= asked <= MAX_BUFFERED else MAX_BUFFERED
        self._waiting: deque[Message] = deque()
        self._num_bytes = 0
        self._arrived = asyncio.Event()

    def put(self, message: Message) -> None:
        """Keep a message, and drop the oldest where there are too many or too large ones; never itself."""
        self._waiting.append(message)
        self._num_bytes += _size(message)
        while len(self._waiting) > self._max_messages or (
            len(self._waiting) > 1 and self._num_bytes > MAX_BUFFERED_BYTES
        ):
            self._take()
        self._arrived.set()

    async def get(self) -> Message:
        """The oldest message, as soon as there is one."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._take()

    def _take(self) -> Message:
        message = self._waiting.popleft()
        self._num_bytes -= _size(message)
        return message


def _size(message: Message) -> int:
    return len(message.get("bytes") or message.get("text") or "")
