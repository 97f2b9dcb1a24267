"""What is swept, and above all what is not."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

from overpaint.core.errors import BackendError, TaskNotFoundError
from overpaint.core.task import TaskState
from overpaint.service.draft import PictureBytes
from overpaint.service.files import input_key
from overpaint.service.sweep import FAILURES_IN_A_ROW
from tests.unit.service.conftest import NewWorld
from tests.unit.service.world import World, png

pytestmark = pytest.mark.anyio
DAY_S = 24 * 3600


async def keys_of(world: World) -> set[str]:
    return {
        file.key for prefix in ("inputs/", "outputs/", "uploads/") async for file in world.outputs.list_files(prefix)
    }


async def test_old_tasks_go_with_their_files_and_young_ones_stay(world: World) -> None:
    shared, own = PictureBytes(png(color="red")), PictureBytes(png(color="blue"))
    old = await world.done(await world.submit(pictures=(shared, own)))
    world.clock.passed_s += 5 * DAY_S
    young = await world.done(await world.submit(pictures=(shared,)))
    world.clock.passed_s += 3 * DAY_S
    assert await world.service.sweeper.sweep() == 2
    with pytest.raises(TaskNotFoundError):
        await world.service.tasks.get(world.caller, old.id)
    assert await keys_of(world) == {young.spec.pictures[0].key, young.outputs[0].file.key}
    assert len([row async for row in world.service.usage()]) == 2, "what was charged stays charged"


async def test_files_that_nobody_names_go_after_an_hour(still: World) -> None:
    task = await still.submit(pictures=(PictureBytes(png()),))
    await still.outputs.put("outputs/abc/0-dead.png", png(), "image/png")
    await still.outputs.put("inputs/ffff", png(), "image/png")
    assert await still.service.sweeper.sweep() == 0
    still.clock.passed_s += 3700
    assert await still.service.sweeper.sweep() == 2
    assert await keys_of(still) == {task.spec.pictures[0].key}, "a queued task keeps its inputs"


async def test_uploads_go_after_a_week(still: World) -> None:
    key = still.service.files.reserve(still.caller)
    await still.service.files.upload(key, png())
    still.clock.passed_s += 6 * DAY_S
    assert await still.service.sweeper.sweep() == 0
    still.clock.passed_s += 2 * DAY_S
    assert await still.service.sweeper.sweep() == 1


async def test_an_input_that_is_used_again_is_young_again(new_world: NewWorld) -> None:
    world = await new_world(is_started=False)
    await world.outputs.put(
        (key := (await world.submit(pictures=(PictureBytes(png()),))).spec.pictures[0].key), png(), ""
    )
    first = (await world.service.tasks.list_tasks(world.caller)).tasks[0]
    await world.service.tasks.cancel(world.caller, first.id)
    await world.service.tasks.delete(world.caller, first.id)
    world.clock.passed_s += 3700
    await world.submit(pictures=(PictureBytes(png()),))
    assert await world.service.sweeper.sweep() == 0
    assert await keys_of(world) == {key}


def interrupt_once(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, turn: Callable[[], Awaitable[object]]
) -> None:
    """Somebody else's turn comes just before the next call of a method."""
    method = getattr(where, name)

    async def interrupted(*args: object, **named: object) -> object:
        monkeypatch.setattr(where, name, method)
        await turn()
        return await method(*args, **named)

    monkeypatch.setattr(where, name, interrupted)


async def test_an_input_that_is_taken_in_while_its_old_task_is_removed_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PictureBytes(png())
    await world.done(await world.submit(pictures=(source,)))
    world.clock.passed_s += 8 * DAY_S
    interrupt_once(monkeypatch, world.outputs, "delete", lambda: world.submit(pictures=(source,), prompt="again"))
    await world.service.sweeper.sweep()
    (young,) = (await world.service.tasks.list_tasks(world.caller)).tasks
    assert (await world.done(young)).state is TaskState.SUCCEEDED
    assert young.spec.pictures[0].key in await keys_of(world)


async def forget_two_pictures(world: World) -> list[PictureBytes]:
    """Leave two inputs that no task names, old enough to go; in the order of their keys."""
    sources = [PictureBytes(png(color=color)) for color in ("red", "blue")]
    for source in sources:
        await world.outputs.put(input_key(source.data), source.data, "image/png")
    world.clock.passed_s += 3700
    return sorted(sources, key=lambda source: input_key(source.data))


async def test_an_input_that_is_named_while_others_are_removed_stays(
    still: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, last = await forget_two_pictures(still)
    interrupt_once(monkeypatch, still.outputs, "delete_old", lambda: still.submit(pictures=(last,)))
    assert await still.service.sweeper.sweep() == 1
    assert await keys_of(still) == {input_key(last.data)}


async def test_an_input_that_is_written_again_before_it_is_named_stays(
    still: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await forget_two_pictures(still)
    key = input_key(first.data)
    write = lambda: still.outputs.put(key, first.data, "image/png")  # noqa: E731
    interrupt_once(monkeypatch, still.stores.tasks, "referenced_files", write)
    assert await still.service.sweeper.sweep() == 1
    assert await keys_of(still) == {key}


def refuse_to_remove(monkeypatch: pytest.MonkeyPatch, world: World, of_them: Callable[[str], bool]) -> None:
    """As a folder does in which somebody else's files lie."""
    delete, delete_old = world.outputs.delete, world.outputs.delete_old

    async def deleted(keys: Sequence[str]) -> None:
        if any(of_them(key) for key in keys):
            raise BackendError("Permission denied")
        await delete(keys)

    async def deleted_old(key: str, *, older_than: timedelta) -> bool:
        if of_them(key):
            raise BackendError("Permission denied")
        return await delete_old(key, older_than=older_than)

    monkeypatch.setattr(world.outputs, "delete", deleted)
    monkeypatch.setattr(world.outputs, "delete_old", deleted_old)


async def test_a_file_that_cannot_be_removed_is_left_and_the_others_go(
    still: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once ended every sweep, and the disk filled with what lay behind it."""
    for key in ("outputs/a/0-x.png", "outputs/b/0-x.png", "inputs/ffff", "uploads/k/a", "uploads/k/b"):
        await still.outputs.put(key, png(), "image/png")
    still.clock.passed_s += 8 * DAY_S
    stuck = {"outputs/a/0-x.png", "uploads/k/a"}
    refuse_to_remove(monkeypatch, still, stuck.__contains__)
    assert await still.service.sweeper.sweep() == 3
    assert await keys_of(still) == stuck


async def test_a_sweep_ends_where_nothing_can_be_removed(still: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try takes seconds where a storage is out of reach."""
    for number in range(2 * FAILURES_IN_A_ROW):
        await still.outputs.put(f"outputs/a/{number}.png", b"", "image/png")
    still.clock.passed_s += DAY_S
    tried: list[str] = []
    refuse_to_remove(monkeypatch, still, lambda key: not tried.append(key))
    with pytest.raises(BackendError):
        await still.service.sweeper.sweep()
    assert len(tried) == FAILURES_IN_A_ROW
