"""The application over a service in memory, and a client with a key."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from PIL import Image
from starlette.types import ASGIApp

from overpaint.api.app import create_app
from overpaint.api.closing import Closing
from overpaint.api.config import ApiConfig
from tests.unit.api.stand_in import StandIn


@dataclass
class World:
    """What a test has in hand."""

    stand_in: StandIn
    app: ASGIApp
    http: httpx.AsyncClient
    stranger: httpx.AsyncClient
    nobody: httpx.AsyncClient
    admin: httpx.AsyncClient
    config: ApiConfig
    closing: Closing


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def api_config() -> ApiConfig:
    return ApiConfig(sync_timeout_s=5.0)


@pytest.fixture
async def world(api_config: ApiConfig) -> AsyncIterator[World]:
    stand_in = StandIn()
    closing = Closing()
    app = create_app(stand_in.service, api_config, closing=closing)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def client(secret: str | None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers)

    _, mine = await stand_in.keys.create("mine")
    _, other = await stand_in.keys.create("other")
    _, admin = await stand_in.keys.create("admin", is_admin=True)
    async with client(mine) as http, client(other) as stranger, client(None) as nobody, client(admin) as boss:
        yield World(stand_in, app, http, stranger, nobody, boss, api_config, closing)
    await stand_in.stop()


@pytest.fixture
def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, "PNG")
    return buffer.getvalue()
