"""Calls that hang, and everybody else who must not hang with them."""

import asyncio
import subprocess
import sys
import threading

import pytest

from overpaint.core.own_threads import OwnThreads

STUCK_AT_EXIT = """
import asyncio, socket, time
socket.getaddrinfo = lambda *asked, **more: time.sleep(60)
from overpaint.images.fetch_guard import system_resolver

async def main():
    async with asyncio.timeout(0.1):
        await system_resolver("slow.example", 80)

try:
    asyncio.run(main())
except TimeoutError:
    print("gave up")
"""


class Line:
    """Calls that wait until the test lets them go on."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self._begun = threading.Semaphore(0)

    def wait(self) -> int:
        self._begun.release()
        assert self.gate.wait(30)
        return threading.get_ident()

    async def has_begun(self, timeout_s: float = 10) -> bool:
        """Whether one more of them begins within that time."""
        return await asyncio.to_thread(self._begun.acquire, timeout=timeout_s)


def test_no_more_than_so_many_run_at_a_time_and_all_are_answered() -> None:
    async def ask() -> set[int]:
        threads, line = OwnThreads("test", 2), Line()
        asked = [asyncio.create_task(threads.run(line.wait)) for _ in range(6)]
        assert [await line.has_begun() for _ in range(2)] == [True, True]
        assert not await line.has_begun(0.05)
        line.gate.set()
        used = set(await asyncio.gather(*asked))
        assert threading.get_ident() not in used
        return used

    assert len(asyncio.run(ask())) <= 2


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    async def ask() -> None:
        threads, line, late = OwnThreads("test", 1), Line(), Line()
        stuck = asyncio.create_task(threads.run(line.wait))
        assert await line.has_begun()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await threads.run(late.wait)
        line.gate.set()
        await stuck
        assert await threads.run(lambda: 7) == 7
        assert not await late.has_begun(0)

    asyncio.run(ask())


def test_what_a_call_raises_is_raised() -> None:
    async def ask() -> None:
        with pytest.raises(ZeroDivisionError):
            await OwnThreads("test", 1).run(lambda: 1 // 0)

    asyncio.run(ask())


def test_nobody_waits_in_the_end_for_a_look_up_that_hangs() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STUCK_AT_EXIT], capture_output=True, text=True, timeout=30, check=True
    )
    assert ended.stdout.strip() == "gave up"
