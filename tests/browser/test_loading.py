"""The page while the engine loads, which with a large checkpoint takes minutes."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, SaveShot
from tests.browser.late import FILE
from tests.contract.api.conftest import RunningServer, start_server, wait_until

OWN_SIDE = "1024"
PROMPT = "a cat"


@dataclass
class Late:
    """A server whose engine loads.

    Args:
        server: itself, as long as it is not ready.
        barrier: the file that keeps the engine from being loaded.
        ready: the server, once its engine is there.
    """

    server: RunningServer
    barrier: Path
    ready: Future[RunningServer]

    def let(self) -> None:
        """Have the engine loaded."""
        self.barrier.unlink()
        self.ready.result()


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Late]:
    barrier, log = tmp_path / "barrier", tmp_path / "server.log"
    barrier.touch()
    monkeypatch.setenv(FILE, str(barrier))
    with ThreadPoolExecutor(1) as pool:
        ready = pool.submit(start_server, tmp_path, program="tests.browser.late")
        wait_until(lambda: ready.done() or (log.exists() and "this once:" in log.read_text()))
        text = log.read_text()
        url, key = (re.findall(f"{said} (\\S+)", text)[0] for said in ("listens at", "this once:"))
        url = url.replace("localhost", "127.0.0.1")
        yield Late(RunningServer(url, key, None, log, tmp_path), barrier, ready)  # pyright: ignore[reportArgumentType]
        barrier.unlink(missing_ok=True)
        ready.result().stop()


@pytest.mark.parametrize("pressed", ["#run", ".op-card"])
def test_what_is_pressed_while_the_engine_loads_is_painted_when_it_is_there(
    open_page: OpenPage, late: Late, shot: SaveShot, pressed: str
) -> None:
    at = open_page(secret=late.server.key, at=late.server)
    expect(at.page.locator(".op-missing")).to_contain_text("the engine is loading")
    at.write(PROMPT)
    at.count(2)
    at.page.locator(pressed).last.click()
    expect(at.page.locator("#run")).to_have_attribute("data-waits", re.compile("engine"))
    shot(at.page, "loading")
    expect(at.nodes()).to_have_count(0)
    late.let()
    expect(at.nodes()).to_have_count(1)
    expect(at.page.locator(".op-canvas")).to_have_attribute("data-state", "succeeded")
    expect(at.page.locator("#run")).not_to_have_attribute("data-waits", re.compile("."))
    expect(at.page.locator(".op-missing")).to_have_text("")
    if pressed == "#run":
        expect(at.page.locator(".op-variations img")).to_have_count(2)


def test_the_form_learns_what_the_model_wants_when_it_is_there(open_page: OpenPage, late: Late) -> None:
    at = open_page(secret=late.server.key, at=late.server)
    at.page.locator("#shape label", has_text="Free").click()
    width = at.page.locator("#width input")
    expect(width).not_to_have_value(OWN_SIDE)
    at.count(3)
    late.let()
    expect(width).to_have_value(OWN_SIDE)
    expect(at.page.locator("#shape input:checked")).to_have_value("free")
    expect(at.page.locator("#count input[type=number]")).to_have_value("3")
