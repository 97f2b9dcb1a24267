"""A clock that is set forward makes nothing old at once."""

from datetime import datetime, timedelta

import pytest

from overpaint.service.build import Policies
from overpaint.service.clock_jumps import ClockJumps
from overpaint.service.sweep import Retention
from tests.unit.service.conftest import NewWorld
from tests.unit.service.world import FakeClock, until

pytestmark = pytest.mark.anyio
OFTEN = Policies(b"0123456789abcdef", retention=Retention(interval_s=0.01))


class SetClock(FakeClock):
    """Can be set without time passing."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.mark.parametrize(
    ("ahead", "passed_s", "is_calm"),
    [
        (timedelta(), 600.0, True),
        (timedelta(seconds=30), 600.0, True),
        (timedelta(hours=-1), 600.0, True),
        (timedelta(hours=1), 600.0, False),
        (timedelta(), 86_400.0, True),
    ],
)
def test_only_a_jump_forward_is_one(ahead: timedelta, passed_s: float, is_calm: bool) -> None:
    clock = SetClock()
    jumps = ClockJumps(clock, timedelta(hours=1))
    assert jumps.is_calm()
    clock.passed_s, clock.ahead = passed_s, ahead
    assert jumps.is_calm() is is_calm


def test_after_a_while_the_clock_is_believed() -> None:
    clock = SetClock()
    jumps = ClockJumps(clock, timedelta(hours=1))
    jumps.is_calm()
    clock.ahead = timedelta(days=30)
    found: list[bool] = []
    for _ in range(8):
        found.append(jumps.is_calm())
        clock.passed_s += 600
    assert found == [False] * 6 + [True] * 2


async def test_what_was_just_painted_outlives_a_clock_that_is_set_a_month_forward(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await new_world(policies=OFTEN)
    await world.done(await world.submit())
    now, looks = world.clock.now, 0

    def a_month_later() -> datetime:
        nonlocal looks
        looks += 1
        return now() + timedelta(days=30)

    async def is_empty() -> bool:
        return await world.stores.tasks.count() == 0

    monkeypatch.setattr(world.clock, "now", a_month_later)
    await until(lambda: looks > 5)
    assert await world.stores.tasks.count() == 1
    world.clock.passed_s += 3700
    await until(is_empty)
