"""Streams of events whose reader stalls or leaves, and those that break off in the middle."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message, Scope

from tests.unit.api.conftest import World
from tests.unit.api.stand_in import out_of_reach

pytestmark = pytest.mark.anyio
FAL = "/fal/run/fal-ai/qwen-image/stream"
OPENAI = "/openai/v1/images/generations"
STREAMS = [
    (OPENAI, {"prompt": "a cat", "size": "64x64", "n": 2, "stream": True}),
    (FAL, {"prompt": "a cat", "image_size": {"width": 64, "height": 64}}),
]


async def leave_in_the_middle(world: World, path: str, body: dict[str, Any], wanted: bytes) -> None:
    """Read a stream until `wanted` comes, no byte of it, and hang up a moment later."""
    raw, is_full, sent = json.dumps(body).encode(), asyncio.Event(), asyncio.Event()
    headers = [(b"authorization", world.http.headers["authorization"].encode()), (b"content-type", b"application/json")]
    common = {"type": "http", "http_version": "1.1", "scheme": "http", "query_string": b"", "root_path": ""}
    scope: Scope = common | {"method": "POST", "path": path, "raw_path": path.encode(), "headers": headers, "state": {}}

    async def receive() -> Message:
        if not sent.is_set():
            sent.set()
            return {"type": "http.request", "body": raw, "more_body": False}
        await is_full.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if wanted in message.get("body", b""):
            is_full.set()
            await asyncio.sleep(60)

    async with asyncio.timeout(30):
        await world.app(scope, receive, send)
    await asyncio.sleep(0.05)  # what is left of the stream is cleared away


@pytest.mark.parametrize(("path", "body"), STREAMS, ids=["openai", "fal"])
async def test_who_leaves_while_the_pictures_are_sent_has_not_heard_of_them(
    world: World, path: str, body: dict[str, Any]
) -> None:
    """The same request again is given the painted task, and does not pay for another."""
    await leave_in_the_middle(world, path, body, b"completed" if path == OPENAI else b"images")
    assert world.stand_in.unheard == list(world.stand_in.stored)


@pytest.mark.parametrize(("path", "body"), STREAMS, ids=["openai", "fal"])
async def test_a_stream_whose_task_is_out_of_reach_says_so_and_its_retry_gets_the_task(
    world: World, path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> AsyncIterator[object]:
        raise out_of_reach()
        yield

    monkeypatch.setattr(world.stand_in, "events", broken)
    text = (await world.http.post(path, json=body)).text
    assert "the database is out of reach" in text
    assert world.stand_in.unheard == list(world.stand_in.stored)


async def test_a_picture_that_cannot_be_read_ends_a_stream_with_its_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: str) -> None:
        raise out_of_reach()

    monkeypatch.setattr(world.stand_in.files, "read", broken)
    made = await world.http.post("/replicate/v1/models/qwen/qwen-image/predictions", json={"input": {"prompt": "a"}})
    told = (await world.nobody.get(made.json()["urls"]["stream"])).text
    assert "event: error\ndata: the database is out of reach" in told
    assert told.rstrip().endswith('event: done\ndata: {"reason":"error"}')
    for path, body in (STREAMS[0], (FAL, STREAMS[1][1] | {"sync_mode": True})):
        assert "the database is out of reach" in (await world.http.post(path, json=body)).text
        assert world.stand_in.unheard[-1] == list(world.stand_in.stored)[-1]
