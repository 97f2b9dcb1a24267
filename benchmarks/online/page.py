"""How soon the page is there, and how quick it stays while the engine paints.

    python -m benchmarks.online.page [--loads 7] [--clicks 60] [--save]

A real server on the bundled checkpoint and headless Chromium, on one machine. Each load is a browser without a cache,
signed in already. First paint is the browser's own figure; interactive is when the history stands there and the dice
rolled: the page has started, its stream runs, and a round trip was made. Then the dice while a long run is painted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.offline.workload import percentile
from benchmarks.report import report
from overpaint.playground.visitors import COOKIE
from tests.browser.conftest import BUNDLED, CHROMIUM
from tests.browser.driver import LONG_STEPS, Paint
from tests.contract.api.conftest import RunningServer, start_server


def fresh(browser: Browser, server: RunningServer) -> Page:
    """A page of a browser that was never here, with a key."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(120_000)
    context.add_cookies([{"name": COOKIE, "value": server.key, "url": server.url}])
    return context.new_page()


def roll(page: Page) -> float:
    """Seconds from a click on the dice to another seed in the field."""
    return page.evaluate(
        """() => new Promise((done) => {
          const field = document.querySelector('#seed input');
          const before = field.value, start = performance.now();
          const look = () => field.value !== before ? done((performance.now() - start) / 1000) : setTimeout(look, 1);
          document.querySelector('#dice').click();
          look();
        })"""
    )


def load(browser: Browser, server: RunningServer) -> tuple[float, float]:
    """Seconds to the first paint, and to the first answered click."""
    page = fresh(browser, server)
    start = time.perf_counter()
    page.goto(server.url, wait_until="commit")
    page.locator(".op-history header").wait_for()
    roll(page)
    interactive_s = time.perf_counter() - start
    paint_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.context.close()
    return paint_ms / 1000, interactive_s


def while_painting(browser: Browser, server: RunningServer, clicks: int) -> list[float]:
    """Round trips while the engine is busy all the time."""
    page = fresh(browser, server)
    page.goto(server.url)
    at = Paint(page, server.url)
    at.ready()
    at.write("a cat on the left and a dog on the right, green background")
    at.steps(LONG_STEPS)
    at.count(6)
    times: list[float] = []
    while len(times) < clicks:
        if not page.locator(".op-painting .op-stop").count():
            at.run()
            at.looks(1)
        times.append(roll(page))
    page.context.close()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument("--clicks", type=int, default=60)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = start_server(Path(folder), model=str(BUNDLED))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        loads = [load(browser, server) for _ in range(options.loads)]
        trips = while_painting(browser, server, options.clicks)
        browser.close()
        server.stop()
    found: dict[str, Any] = {
        "first_paint_s": {"median": statistics.median(paint for paint, _ in loads), "max": max(p for p, _ in loads)},
        "interactive_s": {"median": statistics.median(ready for _, ready in loads), "max": max(r for _, r in loads)},
        "round_trip_while_painting_s": {
            "clicks": len(trips),
            "median": statistics.median(trips),
            "p95": percentile(trips, 0.95),
        },
    }
    rows = [
        [name, *(f"{value:.3f}" for key, value in figures.items() if key != "clicks")]
        for name, figures in found.items()
    ]
    report("page", ["seconds", "median", "max, p95"], rows, found | {"loads": len(loads)}, save=options.save)


if __name__ == "__main__":
    main()
