"""An open page: its frames, its tree, its doors to other people's work."""

import asyncio
import io
import json
import logging
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from overpaint.core.errors import BackendError, RequestError, TaskNotFoundError
from overpaint.core.request import AdapterRef
from overpaint.core.task import Task, TaskState
from overpaint.playground.desk import Desk, Frame
from overpaint.playground.export import chunks, zip_session
from overpaint.playground.handlers import Handlers
from overpaint.playground.log_tail import LINES_KEPT, LogTail
from overpaint.playground.operator_view import operator_view
from overpaint.playground.parts import PageParts
from overpaint.playground.wording import words_of
from overpaint.service.caller import Caller
from overpaint.service.draft import Draft, PictureBytes, PictureFile
from tests.unit.playground.conftest import desk_of, page_over
from tests.unit.service.conftest import NewWorld
from tests.unit.service.test_adapters import URL, open_shop
from tests.unit.service.world import World, draft, png

pytestmark = pytest.mark.anyio
EN = words_of("en")


async def painted(handlers: Handlers, desk: Desk, world: World, **asked: object) -> Task:
    task = await handlers.submit(desk, replace(draft(**asked), dialect="page"))
    return await world.done(task)


async def frame_when(desk: Desk, parts: PageParts, state: str) -> Frame:
    """The first frame whose canvas shows a run in that state."""
    async for frame in desk.frames(parts.service, parts.sessions, parts.views(EN)):
        if frame.canvas["run"] and frame.canvas["run"]["state"] == state:
            return frame
    raise AssertionError("frames ended")


async def test_a_run_is_shown_from_its_start_to_its_result(
    handlers: Handlers, desk: Desk, parts: PageParts, world: World
) -> None:
    task = await handlers.submit(desk, replace(draft(), dialect="page"))
    frame = await frame_when(desk, parts, "succeeded")
    assert frame.canvas["run"]["id"] == task.id == frame.history["focus"]
    assert frame.tray["runs"] == []
    assert frame.history["nodes"][0]["thumbs"][0].startswith("/files/outputs/")
    later = Desk(world.caller, desk.session_id, "first")
    assert (await frame_when(later, parts, "succeeded")).canvas["run"]["id"] == task.id, "a reload shows the same"


async def test_what_grows_from_a_picture_is_its_child_and_its_like_a_sibling(
    handlers: Handlers, desk: Desk, parts: PageParts, world: World
) -> None:
    root = await painted(handlers, desk, world, num_images=2)
    child = await painted(handlers, desk, world, pictures=(PictureFile(root.outputs[1].file.key),))
    sibling = await world.done(await handlers.paint_again(desk, child.id))
    nodes = {node.task_id: node for node in await parts.sessions.nodes(world.caller, desk.session_id)}
    assert (nodes[root.id].parent_id, nodes[child.id].parent_id, nodes[child.id].parent_index) == (None, root.id, 1)
    assert nodes[sibling.id].parent_id == root.id
    assert sibling.spec.seed != child.spec.seed
    assert sibling.spec.pictures == child.spec.pictures


async def test_a_session_is_packed_with_everything_it_needs(
    handlers: Handlers, desk: Desk, parts: PageParts, world: World
) -> None:
    root = await painted(handlers, desk, world, pictures=(PictureBytes(png()),))
    await painted(handlers, desk, world, pictures=(PictureFile(root.outputs[0].file.key),), prompt="a dog")
    packed = b"".join(chunks(await zip_session(parts.service, parts.sessions, world.caller, desk.session_id)))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        steps = json.loads(archive.read("session.json"))["steps"]
        names = set(archive.namelist())
    assert [step["prompt"] for step in steps] == ["a cat", "a dog"]
    assert steps[1]["parent"] == root.id
    assert {*steps[0]["references"], *steps[1]["references"], steps[1]["pictures"][0]["file"]} <= names


async def test_the_same_again_is_painted_with_the_same_adapters(new_world: NewWorld, tmp_path: Path) -> None:
    shop = await open_shop(new_world, tmp_path)
    parts = page_over(shop.world)
    handlers, desk = Handlers(parts, EN), await desk_of(parts, shop.world)
    task = await painted(handlers, desk, shop.world, adapters=(AdapterRef("ink", 0.5), AdapterRef(URL)))
    again = await shop.world.done(await handlers.paint_again(desk, task.id))
    assert (again.state, again.spec.seed != task.spec.seed) == (TaskState.SUCCEEDED, True)
    used = [[(one.digest, one.scale) for one in done.spec.adapters] for done in (task, again)]
    assert used[0] == used[1]
    assert shop.fetcher.asked == [URL], "what was fetched is named as it is stored"
    assert parts.views(EN).run(task, None)["facts"]["adapters"] == "ink:0.5, pencil:1"
    packed = b"".join(chunks(await zip_session(parts.service, parts.sessions, shop.world.caller, desk.session_id)))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        step = json.loads(archive.read("session.json"))["steps"][0]
    assert [(one["name"], one["scale"]) for one in step["adapters"]] == [("ink", 0.5), ("pencil", 1.0)]


async def test_nobody_sees_another_keys_session(parts: PageParts, desk: Desk, world: World) -> None:
    for other in (world.stranger, world.admin):
        with pytest.raises(TaskNotFoundError):
            await parts.sessions.nodes(other, desk.session_id)
        with pytest.raises(TaskNotFoundError):
            await parts.sessions.rename(other, desk.session_id, "mine now")
        assert (await parts.sessions.open(other, desk.session_id, "own")).id != desk.session_id


async def test_a_name_must_be_one(parts: PageParts, world: World) -> None:
    for name in ("", "  ", "x" * 81):
        with pytest.raises(RequestError, match="name"):
            await parts.sessions.create(world.caller, name)


async def test_a_session_ended_by_its_owner_leads_to_another(parts: PageParts, desk: Desk, world: World) -> None:
    await parts.sessions.delete(world.caller, desk.session_id)
    assert (await parts.sessions.open(world.caller, desk.session_id, "next")).name == "next"


async def forget_elsewhere(parts: PageParts, desk: Desk, world: World) -> None:
    """Another tab on the same session forgets it."""
    other = await desk_of(parts, world)
    assert other.session_id == desk.session_id
    await parts.sessions.delete(world.caller, other.session_id)


async def test_a_page_whose_session_was_forgotten_elsewhere_shows_another(
    parts: PageParts, desk: Desk, world: World
) -> None:
    forgotten, shown = desk.session_id, list[str]()
    async with asyncio.timeout(10):
        async for frame in desk.frames(parts.service, parts.sessions, parts.views(EN)):
            shown.append(frame.history["session"])
            if len(set(shown)) == 2:
                break
            if len(shown) == 1:
                await forget_elsewhere(parts, desk, world)
                desk.stir()
    assert shown[0] == forgotten
    assert (await parts.sessions.get(world.caller, shown[-1])).name == "first"


async def test_what_is_painted_after_the_session_was_forgotten_stands_in_another(
    handlers: Handlers, desk: Desk, parts: PageParts, world: World
) -> None:
    root = await painted(handlers, desk, world)
    await forget_elsewhere(parts, desk, world)
    again = await handlers.paint_again(desk, root.id)
    assert desk.focus == again.id
    assert [node.task_id for node in await parts.sessions.nodes(world.caller, desk.session_id)] == [again.id]


async def test_a_session_forgotten_while_a_draft_is_taken_is_replaced_too(
    handlers: Handlers, desk: Desk, parts: PageParts, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = world.service.submit.submit

    async def submit_slowly(caller: Caller, draft: Draft) -> Task:
        task = await submit(caller, draft)
        await forget_elsewhere(parts, desk, world)
        return task

    monkeypatch.setattr(world.service.submit, "submit", submit_slowly)
    task = await handlers.submit(desk, draft())
    assert [node.task_id for node in await parts.sessions.nodes(world.caller, desk.session_id)] == [task.id]


async def test_what_was_taken_is_no_failure_when_it_cannot_be_noted(
    handlers: Handlers, desk: Desk, parts: PageParts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise BackendError("the database is locked")

    monkeypatch.setattr(parts.sessions, "add", fail)
    task = await handlers.submit(desk, draft())
    assert desk.focus == task.id
    assert f"task {task.id} is in no session" in caplog.text


async def test_forgetting_what_another_page_forgot_leaves_the_next_session_alone(
    handlers: Handlers, desk: Desk, parts: PageParts, world: World
) -> None:
    shown = desk.session_id
    await forget_elsewhere(parts, desk, world)
    await desk.settle(parts.sessions)
    following = desk.session_id
    await handlers.forget(desk, shown)
    assert [session.id for session in await parts.sessions.list_sessions(world.caller)] == [following]
    await handlers.forget(desk, following)
    assert desk.session_id not in (shown, following)


async def test_the_operator_sees_everybody(handlers: Handlers, desk: Desk, parts: PageParts, world: World) -> None:
    await painted(handlers, desk, world)
    seen = await operator_view(parts, world.admin)
    assert (seen["queued"], seen["running"], seen["problems"]) == (0, 0, {})
    assert sum(minute["pictures"] for minute in seen["minutes"]) == 1
    assert {key["name"] for key in seen["keys"]} >= {world.caller.key.name, world.admin.key.name}


async def test_the_operator_sees_a_queue_longer_than_its_list(new_world: NewWorld) -> None:
    world = await new_world(is_started=False)
    for _ in range(130):
        await world.service.submit.submit(world.caller, draft())
    seen = await operator_view(page_over(world), world.admin)
    assert seen["queued"] == 130
    assert len(seen["open"]) == 100


def test_the_log_has_an_end() -> None:
    tail = LogTail(logging.Formatter("%(message)s"))
    for number in range(LINES_KEPT + 10):
        tail.handle(logging.makeLogRecord({"msg": f"line {number}", "name": "overpaint"}))
    tail.handle(logging.makeLogRecord({"msg": "request", "name": "overpaint.access"}))
    assert len(tail.lines()) == LINES_KEPT
    assert tail.lines()[-1] == f"line {LINES_KEPT + 9}"
