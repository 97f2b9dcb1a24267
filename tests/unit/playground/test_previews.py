"""Small copies of pictures: by the link of the whole one, and upright."""

import io
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from overpaint.api.error_answers import install_errors
from overpaint.api.native import NATIVE
from overpaint.playground.parts import PageParts
from overpaint.playground.previews import SIDE_PX
from overpaint.playground.routes import page_router
from overpaint.playground.visitors import COOKIE
from tests.unit.service.world import World

pytestmark = pytest.mark.anyio
TURNED = 6
ORIENTATION = 0x0112


@pytest.fixture
async def browser(parts: PageParts, world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(page_router(parts))
    install_errors(app, lambda _: NATIVE.render_error)
    _, secret = await world.service.keys.create("shop")
    transport, cookies = httpx.ASGITransport(app), {COOKIE: secret}
    async with httpx.AsyncClient(transport=transport, base_url="http://images.example", cookies=cookies) as client:
        yield client


def photo(width: int, height: int, orientation: int = 1) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[ORIENTATION] = orientation
    Image.effect_noise((width, height), 90).save(buffer, "JPEG", exif=exif, quality=95)
    return buffer.getvalue()


async def uploaded(browser: httpx.AsyncClient, data: bytes) -> dict[str, str]:
    answer = await browser.post("/page/pictures", files={"file": ("photo.jpg", data, "image/jpeg")})
    return answer.raise_for_status().json()


def small(url: str) -> str:
    return url.replace("/files/", "/page/previews/")


async def test_a_preview_is_small_upright_and_kept_by_the_browser(browser: httpx.AsyncClient) -> None:
    data = photo(1200, 800, TURNED)
    answer = await browser.get(small((await uploaded(browser, data))["url"]))
    image = Image.open(io.BytesIO(answer.content))
    assert (image.format, image.height, image.width) == ("WEBP", SIDE_PX, pytest.approx(SIDE_PX * 2 / 3, abs=1))
    assert len(answer.content) < len(data) / 10
    assert "max-age=604800" in answer.headers["cache-control"]


async def test_a_preview_needs_the_link_of_the_picture(browser: httpx.AsyncClient) -> None:
    url = small((await uploaded(browser, photo(64, 64)))["url"])
    assert (await browser.head(url)).status_code == 200
    for wrong in (url.partition("?")[0], url[:-1], url.replace("expires=1", "expires=2")):
        assert (await browser.get(wrong)).status_code == 403


async def test_what_is_no_picture_any_more_has_no_preview(
    browser: httpx.AsyncClient, parts: PageParts, world: World
) -> None:
    stored = await uploaded(browser, photo(640, 640))
    await world.service.ports.outputs.put(stored["key"], photo(640, 640)[:9000], "image/jpeg")
    assert (await browser.get(small(stored["url"]))).status_code == 404
    gone = parts.service.links.link("outputs/gone/0-a.png")
    assert (await browser.head(small(gone))).status_code == 404


@pytest.mark.parametrize(("orientation", "sides"), [(1, (600, 400)), (3, (600, 400)), (TURNED, (400, 600))])
async def test_a_photo_has_the_sides_that_are_seen(
    browser: httpx.AsyncClient, orientation: int, sides: tuple[int, int]
) -> None:
    """A mask is painted over it in these."""
    stored = await uploaded(browser, photo(600, 400, orientation))
    assert (stored["width"], stored["height"]) == sides
