"""The stream of an open page: what it tells, and when it ends."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest
from starlette.requests import HTTPConnection

from overpaint.api.closing import Closing
from overpaint.core.account import KeyLimits
from overpaint.playground.desk import Desk
from overpaint.playground.frames import changes
from overpaint.playground.handlers import Handlers
from overpaint.playground.parts import PageParts
from overpaint.playground.visitors import COOKIE, OPEN_KEY, Visitors
from overpaint.playground.wording import words_of
from tests.unit.playground.conftest import page_over
from tests.unit.service.world import World

pytestmark = pytest.mark.anyio
EN = words_of("en")


def connection(closing: Closing | None = None) -> HTTPConnection:
    """What the open page asks over."""
    headers = [(b"host", b"localhost:8000")]
    app = SimpleNamespace(state=SimpleNamespace(closing=closing or Closing()))
    return HTTPConnection({"type": "http", "headers": headers, "client": ("127.0.0.1", 4711), "app": app})


def visit() -> gr.Request:
    """A request of the open page."""
    return cast("gr.Request", SimpleNamespace(request=connection(), session_hash="page"))


async def test_an_open_page_follows_its_key(world: World) -> None:
    keys = world.service.keys
    parts = replace(page_over(world), visitors=Visitors(keys, is_open=True))
    handlers = Handlers(parts, EN)
    desk = await handlers.desk(visit())
    await keys.set_limits(OPEN_KEY, KeyLimits(max_open_tasks=3))
    assert await handlers.desk(visit()) is desk
    assert desk.caller.limits.max_open_tasks == 3
    shown = list[str]()
    async with asyncio.timeout(10):
        async for frame in handlers.frames(connection(), "page", ""):
            shown.append(frame.history["session"])
            if len(set(shown)) == 2:
                break
            await keys.revoke(OPEN_KEY)
    following = await handlers.desk(visit())
    assert shown == [desk.session_id, following.session_id]
    assert following.caller.key_id != desk.caller.key_id


async def test_who_asks_for_frames_anew_ends_those_before(desk: Desk, parts: PageParts) -> None:
    async with asyncio.timeout(10):
        former, later = (desk.frames(parts.service, parts.sessions, parts.views(EN)) for _ in range(2))
        await anext(former)
        await anext(later)
        assert [frame async for frame in former] == []
        desk.stir()
        await anext(later)


async def test_a_stream_tells_what_changed_and_ends_with_the_server(world: World) -> None:
    parts = replace(page_over(world), visitors=Visitors(world.service.keys, is_open=True))
    handlers, closing = Handlers(parts, EN), Closing()
    events = changes(handlers, connection(closing), "page", "")

    async def told() -> dict[str, Any]:
        return json.loads((await anext(events)).decode().removeprefix("data: "))

    async with asyncio.timeout(10):
        assert set(await told()) == {"canvas", "tray", "history", "engine"}
        desk = await handlers.desk(visit())
        desk.stir()
        assert await told() == {}
        desk.show("gone", 2)
        assert set(await told()) == {"canvas", "tray", "history"}
        closing.begin()
        assert [event async for event in events] == []
    assert parts.desks.find("page") is desk, "what it showed is known for a while"
    parts.desks.close_unheard("page")
    assert parts.desks.find("page") is None


async def test_a_stream_ends_with_its_key(world: World) -> None:
    key, secret = await world.service.keys.create("leaving")
    parts = page_over(world)
    asked = connection()
    asked.scope["headers"].append((b"cookie", f"{COOKIE}={secret}".encode()))
    events = changes(Handlers(parts, EN), asked, "page", "")
    async with asyncio.timeout(10):
        await anext(events)
        await world.service.keys.revoke(key.name)
        parts.desks["page"].stir()
        assert len([event async for event in events]) <= 1
