"""How much a key may have uploaded at once."""

import asyncio

import pytest

from overpaint.core.account import KeyLimits
from overpaint.core.errors import RequestError
from overpaint.service.build import Policies
from overpaint.service.caller import Caller
from tests.unit.service.conftest import NewWorld
from tests.unit.service.world import World, png

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024
PICTURE = png() + bytes(400 * 1024)


@pytest.fixture
async def limited(world: World) -> World:
    await world.service.keys.set_limits(world.caller.key.name, KeyLimits(max_upload_mib=1))
    return world


async def upload(world: World, caller: Caller, data: bytes = PICTURE) -> str:
    key = world.service.files.reserve(caller)
    await world.service.files.upload(key, data)
    return key


async def uploaded_bytes(world: World) -> int:
    return sum([file.num_bytes async for file in world.outputs.list_files("uploads/")])


async def test_what_does_not_fit_is_refused_and_not_stored(limited: World) -> None:
    """Both sorts of uploads count, and the refusal says what is left; others have their own room."""
    first = await upload(limited, limited.caller)
    await limited.service.uploads.create(limited.caller, PICTURE, "a.png")
    with pytest.raises(RequestError, match=r"^file: '0\.4 MiB' must fit in .* left of the 1 MiB .*, 0\.2 MiB; delete"):
        await upload(limited, limited.caller)
    assert await uploaded_bytes(limited) == 2 * len(PICTURE)
    await upload(limited, limited.stranger)
    await limited.outputs.delete([first])
    await upload(limited, limited.caller)


async def test_an_upload_takes_the_room_of_the_one_it_replaces(limited: World) -> None:
    """A client that repeats a PUT whose answer it did not get."""
    large = PICTURE + bytes(500 * 1024)
    key = await upload(limited, limited.caller, large)
    await limited.service.files.upload(key, large)
    assert await uploaded_bytes(limited) == len(large)


async def test_those_that_come_at_once_do_not_overdraw_it(limited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at two servers over one store: each looks before the other has written."""
    put = limited.outputs.put
    looked = asyncio.Barrier(3)

    async def slow_put(key: str, data: bytes, media_type: str) -> None:
        async with asyncio.timeout(5):
            await looked.wait()
        await put(key, data, media_type)

    monkeypatch.setattr(limited.outputs, "put", slow_put)
    ends = await asyncio.gather(*[upload(limited, limited.caller) for _ in range(3)], return_exceptions=True)
    assert any(isinstance(end, RequestError) for end in ends)
    assert await uploaded_bytes(limited) <= MIB


async def test_parts_count_and_countless_empty_ones_too(limited: World) -> None:
    key, parts = limited.service.files.reserve(limited.caller), limited.service.parts
    for number in range(1, 257):
        await parts.put(key, number, b"")
    with pytest.raises(RequestError, match="what is left of the 1 MiB"):
        await parts.put(key, 257, b"")


async def test_a_key_without_a_limit_of_its_own_has_the_servers(new_world: NewWorld) -> None:
    world = await new_world(policies=Policies(b"0123456789abcdef", max_upload_mib=0))
    with pytest.raises(RequestError, match="0 MiB that this key"):
        await upload(world, world.caller)
    await world.service.keys.set_limits(world.caller.key.name, KeyLimits(max_upload_mib=1))
    await upload(world, world.caller)
    with pytest.raises(RequestError, match="must be 0 to"):
        await world.service.keys.set_limits(world.caller.key.name, KeyLimits(max_upload_mib=-1))
