"""A proxy serves the server below a path of its own: every address of the page is below it, too."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Response, expect

from tests.browser.conftest import BUNDLED, OpenPage
from tests.browser.driver import Paint, picture_at
from tests.browser.proxy import proxy_below
from tests.contract.api.conftest import start_server

PHOTO = Path(__file__).parents[2] / "src/overpaint/bundled/samples/apple-and-dog.png"
EDIT = "make it red"
PATH = "/studio/paint"


@pytest.mark.parametrize("is_told_by_the_proxy", [True, False])
def test_all_of_the_page_is_below_the_path(open_page: OpenPage, tmp_path: Path, *, is_told_by_the_proxy: bool) -> None:
    headers = {"X-Forwarded-Prefix": PATH} if is_told_by_the_proxy else {}
    with proxy_below(PATH, headers) as proxy:
        flags = () if is_told_by_the_proxy else ("--public-url", proxy.url)
        server = start_server(tmp_path, *flags, model=str(BUNDLED))
        proxy.server = server.url
        try:
            use_all(open_page(secret=None, at=replace(server, url=proxy.url)), server.key)
            open_page(secret=server.key, path="/zh", at=server)  # past the proxy, too
        finally:
            server.stop()


def use_all(at: Paint, key: str) -> None:
    """Go through every door; the fixture sees to it that none leads out of the path."""
    missing: list[str] = []
    at.page.on("response", lambda got: note(got, missing))
    at.page.goto(f"{at.url}/")
    expect(at.page).to_have_url(f"{at.url}/page/sign-in")
    at.sign_in(key)
    expect(at.page).to_have_url(f"{at.url}/")
    assert [cookie.get("path") for cookie in at.page.context.cookies()] == [PATH]
    paint_and_look(at)
    at.tab("Code")
    expect(at.page.locator(".op-code code")).to_contain_text(f"{at.url}/")
    at.page.get_by_role("link", name="中文").click()
    expect(at.page).to_have_url(f"{at.url}/zh")
    at.ready()
    at.page.goto(f"{at.url}/zh/")
    at.ready()
    at.page.get_by_role("button", name="退出").click()
    expect(at.page).to_have_url(f"{at.url}/page/sign-in")
    assert at.page.context.cookies() == []
    assert missing == []


def paint_and_look(at: Paint) -> None:
    """Paint from a picture, look at the result in every way, and take it away."""
    at.upload(PHOTO)
    assert picture_at(at.page, ".op-tiles img").size
    at.paint(EDIT, steps=2)
    assert picture_at(at.page, ".op-result").size
    assert picture_at(at.page, ".op-node img").size
    at.button("Difference").click()
    at.page.locator(".op-share").wait_for()
    at.page.locator("#paint-mask").click()
    at.page.get_by_role("dialog").get_by_role("button", name="Use this mask").click()
    expect(at.page.locator(".op-mask-over")).to_have_count(1)
    with at.page.expect_download() as download:
        at.page.get_by_role("link", name="Export zip").click()
    assert download.value.path().read_bytes().startswith(b"PK")


def note(got: Response, missing: list[str]) -> None:
    """Keep what is not there."""
    if got.status in (404, 405):
        missing.append(f"{got.status} {got.url}")
