"""Files that OpenAI's and Replicate's clients list and read, over the real service."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import httpx
import pytest

from overpaint.api.app import create_app
from overpaint.core.account import KeyLimits
from overpaint.core.output_ports import OpenFile
from overpaint.outputs.memory import MemoryOutputs
from tests.unit.service.world import Plan, World, build_world, png

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world() -> World:
    return await build_world(Plan())


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    _, secret = await world.service.keys.create("customer")
    transport = httpx.ASGITransport(create_app(world.service), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers) as http:
        yield http


async def upload(http: httpx.AsyncClient, color: str) -> str:
    answer = await http.post("/replicate/v1/files", files={"content": (f"{color}.png", png(color=color))})
    return answer.raise_for_status().json()["id"]


async def test_openai_lists_sizes_without_reading_files(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list read every file from its place, and was refused when one of them went meanwhile."""
    await upload(http, "red")

    async def refuse(*_: object) -> bytes:
        raise AssertionError("it is read")

    monkeypatch.setattr(MemoryOutputs, "get", refuse)
    (card,) = (await http.get("/openai/v1/files")).raise_for_status().json()["data"]
    assert (card["bytes"], card["filename"]) == (len(png()), "red.png")
    assert (await http.get(f"/openai/v1/files/{card['id']}")).json()["bytes"] == len(png())


async def test_a_file_that_goes_while_it_is_listed_is_not_in_the_list(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, goes = await upload(http, "red"), await upload(http, "blue")
    whole = world.outputs.open

    def opened(key: str) -> AbstractAsyncContextManager[OpenFile]:
        if goes in key:
            world.outputs._files.pop(key)
        return whole(key)

    monkeypatch.setattr(world.outputs, "open", opened)
    listed = (await http.get("/replicate/v1/files")).raise_for_status().json()["results"]
    assert [card["id"] for card in listed] == [stays]


async def test_an_upload_without_room_is_refused_in_the_dialects_words(world: World, http: httpx.AsyncClient) -> None:
    await world.service.keys.set_limits("customer", KeyLimits(max_upload_mib=0))
    sent = {
        "/overpaint/v1/files": "file",
        "/openai/v1/files": "file",
        "/replicate/v1/files": "content",
        "/atlas/api/v1/model/uploadMedia": "file",
        "/wavespeed/api/v3/media/upload/binary": "file",
    }
    for path, field in sent.items():
        answer = await http.post(path, files={field: ("a.png", png())})
        assert answer.status_code in (400, 422), path
        assert "left of the 0 MiB" in answer.text, path
    assert [file async for file in world.outputs.list_files("")] == []
