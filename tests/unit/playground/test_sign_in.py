"""Signing in: by one's own hand only, and before anything of a form is believed."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from overpaint.playground.parts import PageParts
from overpaint.playground.routes import page_router
from overpaint.playground.visitors import COOKIE
from tests.unit.service.world import World

pytestmark = pytest.mark.anyio
HOST = "http://images.example"


@pytest.fixture
def app(parts: PageParts) -> FastAPI:
    app = FastAPI()
    app.include_router(page_router(parts))
    return app


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOST) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Origin": HOST}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Origin": "https://other.example", "X-Forwarded-Host": "other.example"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": HOST}, 403),
    ],
)
async def test_a_page_of_others_signs_nobody_in(
    browser: httpx.AsyncClient, world: World, headers: dict[str, str], status: int
) -> None:
    """Who is signed in with somebody else's key shows them every picture."""
    _, secret = await world.service.keys.create("shop")
    answer = await browser.post("/page/sign-in", data={"key": secret}, headers=headers)
    assert (answer.status_code, COOKIE in answer.cookies) == (status, status == 303)


async def test_no_more_is_read_than_a_key(browser: httpx.AsyncClient) -> None:
    for form in ({"data": {"key": "a" * 2000}}, {"data": {"a": "", "b": ""}}, {"files": {"key": b"a"}}):
        assert (await browser.post("/page/sign-in", **form)).status_code == 400  # pyright: ignore[reportArgumentType]
    assert (await browser.post("/page/sign-in", data={"key": "op_wrong"})).status_code == 401


async def test_a_picture_is_not_read_before_it_is_known_who_sends_it(app: FastAPI) -> None:
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": "/page/pictures", "query_string": b"", "headers": headers}
    async with asyncio.timeout(5):
        await app(scope, receive, send)
    assert statuses == [400]


async def test_a_picture_without_a_file_is_told(browser: httpx.AsyncClient, world: World) -> None:
    _, secret = await world.service.keys.create("shop")
    browser.cookies.set(COOKIE, secret)
    answer = await browser.post("/page/pictures", data={"file": "a"})
    assert (answer.status_code, "required" in answer.json()["message"]) == (400, True)
