"""Time, so that tests can own it: monotonic seconds for durations, UTC for what is stored and shown."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class ServiceClock(Protocol):
    """Tells the time and passes it."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def now(self) -> datetime:
        """The time of day, aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    def now(self) -> datetime:
        """The time of day, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        await asyncio.sleep(seconds)
