"""Behind a proxy that serves the server below a path: who is told of it, and where they are sent."""

from dataclasses import replace

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from overpaint.playground.mount import PageRoute
from overpaint.playground.parts import PageParts
from overpaint.playground.reach import path_of
from overpaint.playground.visitors import COOKIE
from tests.unit.service.world import World

pytestmark = pytest.mark.anyio
BASE = "https://shared.example/paint"


def scope(path: str = "/", **headers: str) -> Scope:
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": told, "client": None}


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"host": "shared.example"}, "/paint"),
        ({"host": "127.0.0.1:8000", "x_forwarded_host": "shared.example, inner"}, "/paint"),
        ({"host": "localhost:8000"}, ""),
        ({}, ""),
    ],
)
def test_who_comes_past_the_proxy_is_below_no_path(headers: dict[str, str], path: str) -> None:
    assert path_of(BASE, HTTPConnection(scope(**headers))) == path


@pytest.mark.parametrize(
    ("home", "asked", "root", "passed_on"),
    [
        ("/", "/", "/paint", "/paint/"),
        ("/", "/config", "/paint", "/paint/config"),
        ("/zh", "/zh", "/paint", "/paint/zh/"),
        ("/zh", "/zh/config", "/paint", "/paint/zh/config"),
    ],
)
async def test_gradio_is_told_of_the_path(
    parts: PageParts, world: World, home: str, asked: str, root: str, passed_on: str
) -> None:
    _, secret = await world.service.keys.create("shop")
    heard: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        heard.append(scope)

    route = PageRoute(home, app, replace(parts, base_of=lambda _: BASE))
    await route.handle(scope(asked, host="shared.example", cookie=f"{COOKIE}={secret}"), None, None)  # pyright: ignore
    assert [(one["root_path"], one["path"]) for one in heard] == [(root, passed_on)]
