"""Loops that are woken and stopped at the same moment end all the same."""

import asyncio

import pytest

from overpaint.service.loops import Loop

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("ticks_between", range(6))
async def test_a_loop_woken_just_before_it_is_stopped_ends(ticks_between: int) -> None:
    async def turn() -> bool:
        return False

    loop = Loop("test", turn, interval_s=60)
    loop.start()
    await asyncio.sleep(0.01)  # it sits in its pause
    loop.wake()
    for _ in range(ticks_between):
        await asyncio.sleep(0)
    stopping = asyncio.create_task(loop.stop())
    done, _ = await asyncio.wait([stopping], timeout=2)
    assert done, "the wake-up swallowed the stop"
