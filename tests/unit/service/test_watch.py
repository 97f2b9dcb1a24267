"""The short memory of what happens to tasks."""

import pytest

from overpaint.core.events import Preview, Progress
from overpaint.core.picture import Picture
from overpaint.core.task import Task
from overpaint.service.watch import Ended, Queued, WatchTower
from tests.unit.service.world import World

pytestmark = pytest.mark.anyio


def look(index: int, step: int) -> Preview:
    return Preview("t", index, step, Picture(1, 1, "RGB", b"abc"))


async def ended(world: World) -> Task:
    return await world.done(await world.submit())


async def test_only_the_newest_look_at_each_picture_is_kept_and_none_after_the_end(world: World) -> None:
    tower = WatchTower()
    for what in (look(0, 1), look(1, 1), look(0, 2)):
        tower.tell("t", 1, what)
    assert [event.what for event in tower.after("t", 0)] == [look(1, 1), look(0, 2)]
    end = Ended(await ended(world))
    tower.tell("t", 1, end)
    assert [event.what for event in tower.after("t", 0)] == [end]


def test_numbers_rise_over_attempts_and_the_same_news_is_told_once() -> None:
    tower = WatchTower()
    told = [tower.tell("t", 0, Queued(1)), tower.tell("t", 0, Queued(1)), tower.tell("t", 0, Queued(0))]
    told.append(tower.tell("t", 2, Progress("t", "denoise", 1, 4)))
    assert [event.sequence for event in told] == [1, 1, 2, 2_000_001]
    progress = tower.last_progress("t")
    assert progress
    assert progress.step == 1


def test_a_restart_goes_on_above_the_numbers_of_the_life_before() -> None:
    before, after = WatchTower(), WatchTower()
    last = before.tell("t", 1, Progress("t", "denoise", 3, 4))
    assert after.tell("t", 2, Progress("t", "queued", 0, 4)).sequence > last.sequence


async def test_the_longest_untouched_task_is_forgotten_first() -> None:
    tower = WatchTower(tasks_kept=2)
    for task_id in ("a", "b", "a", "c"):
        tower.tell(task_id, 0, Queued(len(list(tower.after(task_id, 0)))))
    assert not list(tower.after("b", 0))
    assert len(list(tower.after("a", 0))) == 2
    assert not await tower.wait("c", 0.01, after=1)
    assert await tower.wait("c", 0.01, after=0)
