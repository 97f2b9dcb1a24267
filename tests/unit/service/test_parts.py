"""Uploads in parts: put together in their order, whole or not at all."""

import pytest

from overpaint.core.errors import PictureError, RequestError
from overpaint.service.parts import Parts
from tests.unit.service.world import World, png

pytestmark = pytest.mark.anyio


async def test_parts_make_the_picture_whatever_order_they_are_named_in(world: World) -> None:
    data, parts, key = png(), world.service.parts, world.service.files.reserve(world.caller)
    tags = [(2, await parts.put(key, 2, data[40:])), (1, await parts.put(key, 1, data[:40]))]
    stored = await parts.complete(key, tags)
    assert (stored.key, stored.num_bytes) == (key, len(data))
    assert (await world.service.files.read(key)).data == data
    assert [file async for file in world.outputs.list_files(f"{key}.parts/")] == []


async def test_a_part_may_be_sent_again(world: World) -> None:
    data, parts, key = png(), world.service.parts, world.service.files.reserve(world.caller)
    assert await parts.put(key, 1, data) == await parts.put(key, 1, data)
    await parts.put(key, 1, b"something else")
    assert (await parts.complete(key, [(1, await parts.put(key, 1, data))])).num_bytes == len(data)


async def test_what_is_missing_or_too_large_or_no_picture_is_refused(world: World) -> None:
    key = world.service.files.reserve(world.caller)
    parts = Parts(world.service.files, world.outputs, world.outputs, max_bytes=10)
    tag = await parts.put(key, 1, b"x" * 6)
    with pytest.raises(RequestError, match="was not uploaded"):
        await parts.complete(key, [(1, tag), (2, tag)])
    with pytest.raises(RequestError, match="was not uploaded"):
        await parts.complete(key, [(1, "../" * 9)])
    with pytest.raises(RequestError, match="at most 10 together"):
        await parts.complete(key, [(1, tag), (2, await parts.put(key, 2, b"y" * 6))])
    with pytest.raises(PictureError, match="must be a JPEG"):
        await parts.complete(key, [(1, tag)])
    for number in (0, -1, 10_001):
        with pytest.raises(RequestError, match="part"):
            await parts.put(key, number, b"x")


async def test_parts_are_no_uploads_in_a_list(world: World) -> None:
    await world.service.parts.put(world.service.files.reserve(world.caller), 1, b"x")
    assert await world.service.uploads.list_all(world.caller) == []
