"""A request from its draft to its file, and what happens when parts fail on the way."""

import asyncio
import io
import time
from collections.abc import Iterator, Sequence

import pytest
from PIL import Image

from overpaint.core.errors import BackendError, CancelledTaskError, TaskError, TaskNotFoundError
from overpaint.core.events import Event, Failed, Finished, Preview, Progress
from overpaint.core.ports import EngineAwayError
from overpaint.core.request import GenerationRequest, OutputSpec
from overpaint.core.task import Task, TaskState
from overpaint.core.terms import DEFAULT_TERMS, Terms
from overpaint.engine.null import NullEngine
from overpaint.outputs.memory import MemoryOutputs
from overpaint.service.build import Policies
from overpaint.service.draft import PictureBytes, PictureFile, PictureUrl
from overpaint.service.safety import Safety
from overpaint.service.watch import Ended, Queued, TaskEvent
from tests.unit.service.conftest import NewWorld
from tests.unit.service.world import World, draft, png, until

pytestmark = pytest.mark.anyio


class DyingEngine(NullEngine):
    """Fails the first tries as an engine whose process died does."""

    def __init__(self, num_deaths: int) -> None:
        super().__init__()
        self.left = num_deaths

    def events(self, task_id: str) -> Iterator[Event]:
        events = super().events(task_id)
        if self.left > 0:
            self.left -= 1
            self._tasks.pop(task_id)
            return iter([Failed(task_id, BackendError("killed by signal 9"))])
        return events


async def test_a_draft_becomes_a_file_of_the_asked_size(world: World) -> None:
    task = await world.submit(size="200x100", seed=5)
    assert task.state is TaskState.QUEUED
    done = await world.done(task)
    assert done.state is TaskState.SUCCEEDED
    [output] = done.outputs
    content = await world.service.files.read(output.file.key)
    image = Image.open(io.BytesIO(content.data))
    assert image.size == (200, 100) == (output.file.width, output.file.height)
    assert content.media_type == "image/png"
    assert output.seed == 5
    [row] = [row async for row in world.service.usage()]
    assert (row.task_id, row.price_microusd) == (task.id, 20_000)


async def test_a_long_prompt_becomes_a_jpeg(world: World) -> None:
    """What it says of itself would be longer than such a file can say."""
    task = await world.submit(prompt="猫" * 4000, negative_prompt="狗" * 4000, output=OutputSpec("jpeg"))
    assert (await world.done(task)).state is TaskState.SUCCEEDED


async def test_pictures_come_from_everywhere(world: World) -> None:
    world.fetcher.pictures["https://x.example/a.png"] = png(color="blue")
    upload_key = world.service.files.reserve(world.caller)
    await world.service.files.upload(upload_key, png(color="green"))
    own_link = "http://any.host" + world.service.links.link(upload_key)
    sources = (
        PictureUrl("https://x.example/a.png"),
        PictureBytes(png()),
        PictureFile(upload_key),
        PictureUrl(own_link),
    )
    task = await world.submit(pictures=sources, mask=PictureBytes(png(color="white")))
    assert len({file.key for file in task.spec.pictures}) == 3, "the upload and the link to it are one content"
    assert (await world.done(task)).state is TaskState.SUCCEEDED


async def test_an_output_can_be_edited_again_by_its_owner_only(world: World) -> None:
    done = await world.done(await world.submit())
    source = PictureFile(done.outputs[0].file.key)
    assert (await world.submit(pictures=(source,))).spec.pictures
    with pytest.raises(Exception, match="not a file of this key"):
        await world.service.submit.submit(world.stranger, draft(pictures=(source,)))


async def test_a_large_picture_is_scaled_down_before_it_is_kept(world: World) -> None:
    task = await world.submit(pictures=(PictureBytes(png(4000, 2000)),), size=None)
    assert (task.spec.pictures[0].width, task.spec.pictures[0].height) == (3072, 1536)


async def test_an_engine_death_is_tried_again(new_world: NewWorld) -> None:
    world = await new_world(engine=DyingEngine(2))
    done = await world.done(await world.submit())
    assert done.state is TaskState.SUCCEEDED
    assert done.attempt == 3


class AbsentEngine(NullEngine):
    """Seems to be there, and is not when it is asked."""

    num_asked = 0

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        self.num_asked += 1
        if self.num_asked <= 3:
            raise EngineAwayError("the engine is being started again")
        super().submit(task_id, request, terms)


async def test_an_engine_that_never_saw_the_task_costs_no_attempt(new_world: NewWorld) -> None:
    world = await new_world(engine=AbsentEngine())
    done = await world.done(await world.submit())
    assert (done.state, done.attempt) == (TaskState.SUCCEEDED, 1)


async def test_a_third_death_fails_the_task_with_the_reason(new_world: NewWorld) -> None:
    world = await new_world(engine=DyingEngine(3))
    done = await world.done(await world.submit())
    assert done.state is TaskState.FAILED
    assert done.failure
    assert "3 times" in done.failure.message
    assert "signal 9" in done.failure.message
    assert [row async for row in world.service.usage()] == []


class PoisonedEngine(NullEngine):
    """One prompt kills it, and everything that runs beside it."""

    num_deaths = 0

    def events(self, task_id: str) -> Iterator[Event]:
        born, is_poison = self.num_deaths, self._tasks[task_id].prompt == "poison"
        for event in super().events(task_id):
            if is_poison and isinstance(event, Progress) and event.step == 2:
                self.num_deaths += 1
            if self.num_deaths != born:
                self._tasks.pop(task_id, None)
                yield Failed(task_id, BackendError("killed by signal 11"))
                return
            yield event


async def test_who_stood_beside_a_poisonous_task_does_not_fail_with_it(new_world: NewWorld) -> None:
    """Three deaths in its company would have failed them all: the last try is made alone."""
    world = await new_world(engine=PoisonedEngine(0.01), is_started=False)
    poison = await world.submit(prompt="poison", steps=4)
    others = [await world.submit(steps=6, seed=seed) for seed in range(8)]
    await world.service.start()
    assert (await world.done(poison, 20)).state is TaskState.FAILED
    assert {(await world.done(task, 20)).state for task in others} == {TaskState.SUCCEEDED}


async def test_a_running_task_is_cancelled_within_a_step(new_world: NewWorld) -> None:
    world = await new_world(engine=NullEngine(0.05))
    task = await world.submit(steps=100)
    await until(lambda: any(isinstance(what, Progress) and what.step >= 2 for _, what in world.heard))
    began_s = time.monotonic()
    cancelled = await world.service.tasks.cancel(world.caller, task.id)
    assert cancelled.state is TaskState.CANCELLED
    await until(lambda: not world.service.dispatcher.running)
    assert time.monotonic() - began_s < 0.5
    [row] = [row async for row in world.service.usage()]
    assert 0 < row.price_microusd < task.price_microusd / 2
    assert (await world.service.tasks.cancel(world.caller, task.id)).state is TaskState.CANCELLED


async def test_who_paints_charges_what_was_painted_until_another_server_cancelled(new_world: NewWorld) -> None:
    world = await new_world(engine=NullEngine(0.02), policies=Policies(b"0123456789abcdef", lease_s=2.0))
    other = await new_world(is_started=False, stores=world.stores)
    task = await world.submit(steps=200)
    await until(lambda: any(isinstance(what, Progress) and what.step >= 4 for _, what in world.heard))
    ended = await other.service.tasks.cancel(world.caller, task.id)
    told_s = time.monotonic()
    assert [row.price_microusd async for row in world.service.usage()] == [0]
    await until(lambda: not world.service.dispatcher.running)
    assert time.monotonic() - told_s < 1.5
    [row] = [row async for row in world.service.usage()]
    assert ended.finished_at
    until_then = [event.what for event in world.service.tasks.history(ended) if event.at <= ended.finished_at]
    steps = [what.step for what in until_then if isinstance(what, Progress)]
    assert row.price_microusd == task.price_microusd * steps[-1] // 200 > 0


async def test_a_queued_task_is_cancelled_at_once_and_costs_nothing(still: World) -> None:
    task = await still.submit()
    assert (await still.service.tasks.cancel(still.caller, task.id)).state is TaskState.CANCELLED
    assert [row async for row in still.service.usage()] == []


async def test_stopping_hands_running_work_back_uncounted_and_the_next_life_ends_it(new_world: NewWorld) -> None:
    first = await new_world(engine=NullEngine(0.05))
    task = await first.submit(steps=100)
    await until(lambda: bool(first.service.dispatcher.running))
    began_s = time.monotonic()
    await first.service.stop(5)
    assert time.monotonic() - began_s < 2
    back = await first.service.tasks.get(first.admin, task.id)
    assert (back.state, back.attempt) == (TaskState.QUEUED, 0)
    with pytest.raises(BackendError, match="stopping"):
        await first.submit()
    second = await new_world(stores=first.stores, outputs=first.outputs)
    done = await second.service.tasks.wait(first.caller, task, 10)
    assert done.state is TaskState.SUCCEEDED


async def test_nothing_is_leased_while_the_engine_is_away(new_world: NewWorld) -> None:
    problem: list[str | None] = ["the engine is loading"]
    world = await new_world(engine_problem=lambda: problem[0])
    task = await world.submit()
    assert (await world.service.readiness()).problems == {"engine": "the engine is loading"}
    assert (await world.service.tasks.wait(world.caller, task, 0.2)).state is TaskState.QUEUED
    problem[0] = None
    assert (await world.done(task)).attempt == 1


class FailingOutputs(MemoryOutputs):
    """Files that are out of reach for a while."""

    failures = 0

    async def put(self, key: str, data: bytes, media_type: str) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise BackendError("no space left on device")
        await super().put(key, data, media_type)

    async def check(self) -> None:
        if self.failures:
            raise BackendError("no space left on device")


async def test_a_full_disk_costs_time_and_no_task(new_world: NewWorld) -> None:
    outputs = FailingOutputs()
    world = await new_world(outputs=outputs)
    task = await world.submit()
    outputs.failures = 5
    assert not (await world.service.readiness()).is_ready
    assert (await world.done(task)).state is TaskState.SUCCEEDED
    assert (await world.service.readiness()).is_ready


class UnreadableOutputs(MemoryOutputs):
    """Files that are out of reach for a while."""

    is_away = False
    num_reads = 0

    async def get(self, key: str) -> bytes:
        self.num_reads += 1
        if self.is_away:
            raise BackendError("out of reach")
        return await super().get(key)


async def test_inputs_out_of_reach_cost_no_attempt_and_are_not_asked_for_without_a_pause(new_world: NewWorld) -> None:
    outputs = UnreadableOutputs()
    world = await new_world(outputs=outputs, is_started=False)
    task = await world.submit(pictures=(PictureBytes(png()),))
    outputs.is_away, outputs.num_reads = True, 0
    await world.service.start()
    await asyncio.sleep(1.2)
    assert 1 <= outputs.num_reads <= 4
    outputs.is_away = False
    done = await world.done(task)
    assert (done.state, done.attempt) == (TaskState.SUCCEEDED, 1)


class LastingOutputs(MemoryOutputs):
    """Files that cannot be removed."""

    async def delete(self, keys: Sequence[str]) -> None:
        raise BackendError(f"permission denied: {keys}")


async def test_a_task_whose_files_cannot_be_removed_is_deleted_all_the_same(new_world: NewWorld) -> None:
    world = await new_world(outputs=LastingOutputs())
    task = await world.done(await world.submit())
    await world.service.tasks.delete(world.caller, task.id)
    with pytest.raises(TaskNotFoundError):
        await world.service.tasks.get(world.caller, task.id)


async def test_an_input_that_cannot_be_stored_is_not_accepted(new_world: NewWorld) -> None:
    outputs = FailingOutputs()
    world = await new_world(outputs=outputs)
    outputs.failures = 1
    with pytest.raises(BackendError, match="space"):
        await world.submit(pictures=(PictureBytes(png()),))
    assert await world.service.tasks.count(world.caller) == 0


class PickyEngine(NullEngine):
    """Refuses at its door what the service could not know."""

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        del task_id, request, terms
        raise TaskError("this checkpoint cannot")


async def test_what_the_engine_refuses_fails_at_once(new_world: NewWorld) -> None:
    world = await new_world(engine=PickyEngine())
    done = await world.done(await world.submit())
    assert done.failure
    assert done.failure.message == "this checkpoint cannot"
    assert done.attempt == 1


async def test_the_stream_tells_places_steps_and_the_end_and_can_be_resumed(new_world: NewWorld) -> None:
    world = await new_world(engine=NullEngine(0.02), is_started=False)
    task = await world.submit(steps=5)
    seen: list[TaskEvent] = []

    async def read(after: int) -> Sequence[TaskEvent]:
        return [event async for event in world.service.tasks.events(world.caller, task.id, after)]

    reading = asyncio.create_task(read(0))
    await asyncio.sleep(0.05)
    await world.service.start()
    seen = list(await reading)
    numbers = [event.sequence for event in seen]
    assert numbers == sorted(set(numbers))
    assert seen[0].what == Queued(0)
    steps = [event.what.step for event in seen if isinstance(event.what, Progress) and event.what.stage == "denoise"]
    assert steps == [1, 2, 3, 4, 5]
    assert isinstance(seen[-1].what, Ended)
    assert seen[-1].what.task.state is TaskState.SUCCEEDED
    middle = numbers[len(numbers) // 2]
    kept = [event for event in seen if not isinstance(event.what, Preview)]  # the end replaces every look
    assert list(await read(middle)) == [event for event in kept if event.sequence > middle]
    [last] = await read(numbers[-1])
    assert isinstance(last.what, Ended), "whoever read it all still hears that it is over"


async def test_many_at_once_all_end_once(new_world: NewWorld) -> None:
    world = await new_world(policies=Policies(b"0123456789abcdef", capacity=4))
    tasks = await asyncio.gather(*(world.submit(seed=seed) for seed in range(40)))
    ended: list[Task] = [await world.done(task) for task in tasks]
    assert all(task.state is TaskState.SUCCEEDED for task in ended)
    assert len([row async for row in world.service.usage()]) == 40


async def test_an_end_has_the_queue_looked_at_only_when_it_may_hold_more(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await new_world(is_started=False, policies=Policies(b"0123456789abcdef", capacity=1))
    dispatcher, looks = world.service.dispatcher, 0

    def wake() -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr(dispatcher, "wake", wake)
    for wanted in (1, 2):  # each finds the one place taken, and there may be another behind it
        first, second = [await world.submit(), await world.submit()]
        for task in (first, second):
            await dispatcher.fill()
            await world.done(task)
            await until(lambda: not dispatcher.running)
        assert looks == 2 * wanted
    roomy = await new_world(is_started=False, policies=Policies(b"0123456789abcdef", capacity=2))
    monkeypatch.setattr(roomy.service.dispatcher, "wake", wake)
    task = await roomy.submit()
    await roomy.service.dispatcher.fill()
    await roomy.done(task)
    await until(lambda: not roomy.service.dispatcher.running)
    assert looks == 4, "the queue was seen to be empty"


IMPATIENT = Policies(b"0123456789abcdef", lease_s=0.8)


def fail_once(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, error: Exception, *, is_done: bool = False
) -> None:
    """The next call of a method fails; `is_done`: after it has done its work."""
    method = getattr(where, name)

    async def failing(*args: object, **named: object) -> object:
        monkeypatch.setattr(where, name, method)
        if is_done:
            await method(*args, **named)
        raise error

    monkeypatch.setattr(where, name, failing)


async def test_a_task_that_could_not_be_handed_back_comes_back_when_its_lease_runs_out(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await new_world(engine=DyingEngine(1), policies=IMPATIENT, is_started=False)
    fail_once(monkeypatch, world.stores.tasks, "hand_back", BackendError("out of reach"))
    await world.service.start()
    assert (await world.done(await world.submit(), 5)).state is TaskState.SUCCEEDED


async def test_a_task_whose_lease_nobody_heard_of_comes_back_when_it_runs_out(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await new_world(policies=IMPATIENT, is_started=False)
    task = await world.submit()
    fail_once(monkeypatch, world.stores.tasks, "lease", BackendError("the connection broke"), is_done=True)
    await world.service.start()
    assert (await world.done(task, 5)).state is TaskState.SUCCEEDED


class StumblingChecker:
    """Has a bug that shows once."""

    num_asked = 0

    def score(self, picture: object) -> float:
        del picture
        self.num_asked += 1
        if self.num_asked == 1:
            raise RuntimeError("a bad day")
        return 0.0


async def test_a_task_that_a_bug_dropped_comes_back_when_its_lease_runs_out(new_world: NewWorld) -> None:
    world = await new_world(policies=IMPATIENT, safety=Safety("flag", checker=StumblingChecker()))
    assert (await world.done(await world.submit(), 5)).state is TaskState.SUCCEEDED


class WatchedEngine(NullEngine):
    """Remembers how its runs ended."""

    def __init__(self, step_s: float) -> None:
        super().__init__(step_s)
        self.ends: list[str] = []

    def events(self, task_id: str) -> Iterator[Event]:
        for event in super().events(task_id):
            if isinstance(event, Finished | Failed):
                self.ends.append(event.error.code if isinstance(event, Failed) else "finished")
            yield event


async def lose_and_lease_again(world: World, task: Task) -> None:
    """Another server takes a task away that is being painted, and this one gets it again before it notices."""
    await until(lambda: any(isinstance(what, Progress) and what.step for _, what in world.heard))
    await world.stores.tasks.reclaim(await world.stores.tasks.leases(), max_losses=10)
    assert (await world.service.tasks.get(world.caller, task.id)).state is TaskState.QUEUED
    await world.service.dispatcher.fill()


async def test_a_task_that_comes_back_while_its_lost_run_is_still_painted_is_painted_anew(new_world: NewWorld) -> None:
    engine = WatchedEngine(0.02)
    world = await new_world(engine=engine)
    task = await world.submit(steps=20)
    await lose_and_lease_again(world, task)
    done = await world.done(task)
    assert (done.state, done.attempt) == (TaskState.SUCCEEDED, 1), done.failure
    assert engine.ends == [CancelledTaskError.code, "finished"]
    assert {what.task_id for _, what in world.heard if isinstance(what, Progress)} == {task.id}


async def test_a_task_that_came_back_is_cancelled_within_a_step(new_world: NewWorld) -> None:
    engine = WatchedEngine(0.02)
    world = await new_world(engine=engine)
    task = await world.submit(steps=200)
    await lose_and_lease_again(world, task)
    await until(lambda: len(engine.ends) == 1)
    assert (await world.service.tasks.cancel(world.caller, task.id)).state is TaskState.CANCELLED
    await until(lambda: not world.service.dispatcher.running, 1)
    assert engine.ends == [CancelledTaskError.code] * 2


async def test_strangers_see_nothing(world: World) -> None:
    task = await world.done(await world.submit())
    tasks = world.service.tasks
    for attempt in (tasks.get, tasks.cancel, tasks.delete, tasks.position):
        with pytest.raises(TaskNotFoundError):
            await attempt(world.stranger, task.id)
    with pytest.raises(TaskNotFoundError):
        [event async for event in tasks.events(world.stranger, task.id)]
    assert (await tasks.list_tasks(world.stranger)).tasks == ()
    assert (await tasks.get(world.admin, task.id)).id == task.id


async def test_deleting_takes_the_files_and_leaves_the_bill(world: World) -> None:
    task = await world.done(await world.submit())
    await world.service.tasks.delete(world.caller, task.id)
    with pytest.raises(TaskNotFoundError):
        await world.service.files.read(task.outputs[0].file.key)
    assert len([row async for row in world.service.usage()]) == 1
