"""Worlds that start when a test asks and stop when it ends."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.unit.service.world import Plan, World, build_world

NewWorld = Callable[..., Awaitable[World]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def new_world() -> AsyncIterator[NewWorld]:
    """Makes a world; `is_started=False` leaves its loops still."""
    worlds: list[World] = []

    async def make(*, is_started: bool = True, **plan: object) -> World:
        worlds.append(await build_world(Plan(**plan)))  # pyright: ignore[reportArgumentType]
        if is_started:
            await worlds[-1].service.start()
        return worlds[-1]

    yield make
    for world in worlds:
        await world.service.stop(2)


@pytest.fixture
async def world(new_world: NewWorld) -> World:
    return await new_world()


@pytest.fixture
async def still(new_world: NewWorld) -> World:
    """A world in which nothing is dispatched."""
    return await new_world(is_started=False)
