"""A real server on the bundled checkpoint, and Debian's Chromium. Pictures of what was seen go to `out/browser`."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

import overpaint
from tests.browser.driver import Paint
from tests.contract.api.conftest import RunningServer, start_server

BUNDLED = Path(overpaint.__file__).parent / "bundled" / "overpaint-mini"
SHOTS = Path(__file__).parents[2] / "out" / "browser"
PATIENCE_MS = 60_000
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

OpenPage = Callable[..., Paint]
SaveShot = Callable[[Page, str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here; without a browser it is skipped."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="no Chromium here; on Debian: apt install chromium"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests; each uses a key of its own."""
    running = start_server(tmp_path_factory.mktemp("page"), model=str(BUNDLED))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        os.environ.setdefault("CHROME_LOG_FILE", os.devnull)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def key(server: RunningServer) -> str:
    """A fresh key without limits, so that no test sees another's pictures."""
    return server.new_key()


@pytest.fixture
def open_page(browser: Browser, server: RunningServer, key: str) -> Iterator[OpenPage]:
    """Opens the page signed in; every request that it makes to another host fails the test."""
    contexts: list[BrowserContext] = []
    strangers: list[str] = []

    def opened(
        *,
        secret: str | None = key,
        width: int = 1440,
        height: int = 900,
        path: str = "/",
        colours: str = "light",
        at: RunningServer = server,
    ) -> Paint:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=colours,  # pyright: ignore[reportArgumentType]
            accept_downloads=True,
            ignore_https_errors=True,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page = context.new_page()
        page.on("request", lambda sent: None if is_own(sent.url, at.url) else strangers.append(sent.url))
        driver = Paint(page, at.url)
        if secret is not None:
            driver.sign_in(secret, path)
        return driver

    yield opened
    for context in contexts:
        context.close()
    assert strangers == []


@pytest.fixture
def shot() -> SaveShot:
    """Saves a picture of the page."""

    def save(page: Page, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=SHOTS / f"{name}.png", animations="disabled")

    return save


def is_own(url: str, base: str) -> bool:
    """Whether a request stays on this server, or never leaves the browser."""
    return url.startswith((f"{base}/", "data:", "blob:"))
