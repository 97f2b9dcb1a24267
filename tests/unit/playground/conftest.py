"""The page's parts over a service in memory."""

import logging

import pytest

from overpaint.playground.desk import Desk
from overpaint.playground.handlers import Handlers
from overpaint.playground.log_tail import LogTail
from overpaint.playground.parts import PageParts
from overpaint.playground.sessions import Sessions
from overpaint.playground.visitors import Visitors
from overpaint.playground.wording import words_of
from tests.unit.service.conftest import anyio_backend, new_world, world
from tests.unit.service.world import World

__all__ = ["anyio_backend", "new_world", "world"]


def page_over(world: World) -> PageParts:
    """What a page over this world stands on."""
    return PageParts(
        world.service,
        Sessions(world.stores.sessions),
        Visitors(world.service.keys),
        frozenset({"native"}),
        LogTail(logging.Formatter()),
        keep_days=7,
        base_of=lambda visit: str(visit.base_url).rstrip("/"),
    )


async def desk_of(parts: PageParts, world: World) -> Desk:
    """An open page of the world's caller."""
    session = await parts.sessions.open(world.caller, None, "first")
    return Desk(world.caller, session.id, "first")


@pytest.fixture
def parts(world: World) -> PageParts:
    return page_over(world)


@pytest.fixture
def handlers(parts: PageParts) -> Handlers:
    return Handlers(parts, words_of("en"))


@pytest.fixture
async def desk(parts: PageParts, world: World) -> Desk:
    return await desk_of(parts, world)
