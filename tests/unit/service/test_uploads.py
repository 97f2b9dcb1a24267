"""Uploads that are named later."""

from datetime import UTC, datetime, timedelta

import pytest

from overpaint.core.errors import PictureError, TaskNotFoundError
from overpaint.outputs.memory import MemoryOutputs
from overpaint.service.draft import PictureFile
from overpaint.service.uploads import plain_name
from tests.unit.service.conftest import NewWorld
from tests.unit.service.world import World, png

pytestmark = pytest.mark.anyio


async def test_an_upload_is_listed_read_used_and_forgotten(world: World) -> None:
    uploads = world.service.uploads
    first, stored = await uploads.create(world.caller, png(), "C:\\shop\\red apple.png")
    assert (first.name, stored.media_type, len(first.id)) == ("red_apple.png", "image/png", 32)
    assert abs((first.created_at - world.service.keys._clock.now()).total_seconds()) < 5
    world.clock.passed_s += 1
    second, _ = await uploads.create(world.caller, png(), "b.png")
    assert [upload.id for upload in await uploads.list_all(world.caller)] == [second.id, first.id]
    assert await uploads.get(world.caller, first.id) == first
    assert (await world.submit(pictures=(PictureFile(first.key),))).spec.pictures
    await uploads.delete(world.caller, first.id)
    with pytest.raises(TaskNotFoundError):
        await uploads.get(world.caller, first.id)


async def test_an_upload_is_there_at_once_though_the_clock_of_its_place_is_ahead(new_world: NewWorld) -> None:
    """An object storage stamps files by its own clock: those of the last seconds were not found."""
    world = await new_world(outputs=MemoryOutputs(lambda: datetime.now(UTC) + timedelta(seconds=5)))
    upload, _ = await world.service.uploads.create(world.caller, png(), "a.png")
    assert upload.num_bytes == len(png())
    assert await world.service.uploads.get(world.caller, upload.id) == upload
    assert await world.service.uploads.list_all(world.caller) == [upload]


async def test_uploads_without_a_name_and_parts_are_not_listed(world: World) -> None:
    key = world.service.files.reserve(world.caller)
    await world.service.files.upload(key, png())
    await world.service.parts.put(key, 1, b"a part")
    await world.service.files.upload(f"{world.service.files.reserve(world.caller)}/apple.png", png())
    assert await world.service.uploads.list_all(world.caller) == []


async def test_an_upload_is_its_owners_and_a_picture(world: World) -> None:
    upload, _ = await world.service.uploads.create(world.caller, png(), "a.png")
    for upload_id in (upload.id, "../x", "0" * 32):
        with pytest.raises(TaskNotFoundError):
            await world.service.uploads.get(world.stranger, upload_id)
    assert await world.service.uploads.list_all(world.stranger) == []
    with pytest.raises(PictureError):
        await world.service.uploads.create(world.caller, b"{}", "batch.jsonl")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("a.png", "a.png"),
        ("", "file"),
        ("..", "file"),
        ("../../x.png", "x.png"),
        ("\xe4 b.png", "b.png"),
        ("a" * 200, "a" * 100),
    ],
)
def test_a_name_is_one_that_any_store_can_hold(name: str, plain: str) -> None:
    assert plain_name(name) == plain
