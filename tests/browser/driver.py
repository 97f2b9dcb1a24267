"""What a person does on the page, in their words."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, expect

AXE = Path(__file__).with_name("node_modules") / "axe-core/axe.min.js"
LONG_STEPS = 200


def serious_findings(page: Page) -> list[str]:
    """What axe-core finds serious or critical, with where it is."""
    assert AXE.exists(), "run: make test-browser"
    page.add_script_tag(path=AXE)
    found: list[dict[str, Any]] = page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
    )
    return [
        f"{one['id']}: {node['html'][:160]} | {node.get('failureSummary', '')[:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def picture_at(page: Page, selector: str) -> np.ndarray:
    """The samples of a picture on the page, as the server sends them; of one that is shown small, the whole one's."""
    url = page.locator(selector).first.evaluate("image => image.src").replace("/page/previews/", "/files/")
    return np.asarray(Image.open(io.BytesIO(page.request.get(url).body())).convert("RGBA"))


class Paint:
    """The page in a browser.

    Args:
        page: the browser's.
        url: of the server.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def sign_in(self, secret: str, path: str = "/") -> None:
        """Give the key and wait until the page is there."""
        self.page.goto(f"{self.url}/page/sign-in")
        self.page.locator("#key").fill(secret)
        self.page.locator("button[type=submit]").click()
        self.ready()
        if path != "/":
            self.page.goto(f"{self.url}{path}")
            self.ready()

    def ready(self) -> None:
        """Wait until the page shows its session and who looks: with that comes what the model wants of the form."""
        self.page.locator(".op-history header").wait_for()
        self.page.locator(".op-who").wait_for(state="attached")

    def write(self, prompt: str) -> None:
        """Write a prompt."""
        self.page.locator("#prompt textarea").fill(prompt)

    def steps(self, number: int) -> None:
        """Set the steps, under "Advanced"."""
        field = self.page.locator("#steps input[type=number]")
        if not field.is_visible():
            self.page.locator("#advanced > button").click()
            field.wait_for()
            self.page.wait_for_timeout(300)  # nobody types sooner, and Gradio sets it once more after it is there
        field.fill(str(number))
        field.press("Tab")

    def count(self, number: int) -> None:
        """Set the number of pictures."""
        field = self.page.locator("#count input[type=number]")
        field.fill(str(number))
        field.press("Tab")

    def run(self) -> None:
        """Have it painted."""
        self.page.locator("#run").click()

    def paint(self, prompt: str, steps: int | None = None) -> None:
        """Paint and wait for the result."""
        self.write(prompt)
        if steps is not None:
            self.steps(steps)
        self.run()
        self.result_of(prompt)

    def paint_for_long(self, prompt: str, runs: int = 4) -> None:
        """Begin what takes tens of seconds together."""
        self.write(prompt)
        self.steps(LONG_STEPS)
        self.count(6)
        before = self.nodes().count()
        for _ in range(runs):
            self.run()
        expect(self.nodes()).to_have_count(before + runs)

    def stop_all(self) -> None:
        """Cancel whatever is still under way."""
        self.page.evaluate("document.querySelectorAll('.op-tray [data-act=stop]').forEach((stop) => stop.click())")
        expect(self.page.locator(".op-tray li")).to_have_count(0)

    def result_of(self, prompt: str) -> None:
        """Wait until the result of a prompt is on the canvas."""
        expect(self.page.locator(".op-canvas[data-state=succeeded] .op-below > .op-said")).to_have_text(prompt)

    def upload(self, *paths: Path) -> None:
        """Choose pictures as references."""
        self.page.locator(".op-references input[type=file]").set_input_files(list(paths))

    def looks(self, number: int) -> None:
        """Wait for that many previews of the run on the canvas."""
        self.page.wait_for_function(
            "(number) => Number(document.querySelector('.op-canvas .op-look')?.dataset.looks ?? 0) >= number",
            arg=number,
        )

    def nodes(self) -> Locator:
        """The history's results."""
        return self.page.get_by_role("treeitem")

    def tab(self, name: str) -> None:
        """Open a tab."""
        self.page.get_by_role("tab", name=name).click()

    def button(self, name: str) -> Locator:
        """A button by its exact word."""
        return self.page.get_by_role("button", name=name, exact=True)
