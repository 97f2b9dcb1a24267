"""The form: numbers that are none, adapters behind the accordion, what each model takes, and a history that is long."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, SaveShot
from tests.browser.driver import Paint

PHOTO = Path(__file__).parents[2] / "src/overpaint/bundled/samples/apple-and-dog.png"
IN_SIGHT = """node => {
  const [seen, tree] = [node.getBoundingClientRect(), node.closest(".op-tree").getBoundingClientRect()];
  return tree.left <= seen.left && seen.right <= tree.right;
}"""


def choose_model(at: Paint, number: int) -> None:
    """Choose a model by its place in the list."""
    at.page.locator("#model input").click()
    at.page.get_by_role("option").nth(number).click()


@pytest.mark.parametrize(
    ("path", "field", "number", "said"),
    [
        ("/", "#count", "2.5", "Number of pictures: 2.5 must be a whole number"),
        ("/zh", "#count", "2.5", "张数：2.5 须为整数"),
        ("/", "#seed", "", "Seed must be a whole number"),
        ("/", "#seed", "99999999999", "Seed: 99999999999 must be 0 to 2147483647, or -1 for a fresh one"),
    ],
)
def test_a_number_that_cannot_be_is_told(open_page: OpenPage, path: str, field: str, number: str, said: str) -> None:
    at = open_page(path=path)
    failures: list[int] = []
    at.page.on("response", lambda answer: failures.append(answer.status) if answer.status >= 500 else None)
    at.write("a cat")
    at.page.locator("#lock input").check()
    for typed in ("", number):
        at.page.locator(f"{field} input[type=number]").fill(typed)
        at.page.locator(f"{field} input[type=number]").press("Tab")
    at.run()
    expect(at.page.locator("#notice").get_by_role("alert")).to_have_text(said)
    assert failures == []


def test_what_is_not_used_may_be_anything(open_page: OpenPage) -> None:
    at = open_page()
    at.page.locator("#seed input").fill("")
    at.page.locator("#shape").get_by_text("Free", exact=True).click()
    at.page.locator("#width input").fill("7")
    at.write("a cat")
    at.run()
    expect(at.page.locator("#notice").get_by_role("alert")).to_have_text(
        "Size: “7x128” must have sides of 64 to 1536 px"
    )
    at.page.locator("#shape").get_by_text("Auto", exact=True).click()
    at.paint("a cat")


@pytest.mark.parametrize("first", ["an example", "another model"])
def test_adapters_can_be_chosen_whatever_was_done_first(open_page: OpenPage, first: str) -> None:
    at = open_page()
    if first == "an example":
        at.page.locator(".op-card").last.click()
        expect(at.page.locator(".op-canvas[data-state=succeeded]")).to_be_visible()
    else:
        choose_model(at, 1)
        expect(at.page.locator("#estimate")).to_contain_text("0.03")
    at.page.locator("#advanced > button").click()
    expect(at.page.locator(".op-adapters li")).to_have_count(2)


def test_settings_come_back_within_what_their_model_takes(open_page: OpenPage) -> None:
    at = open_page()
    at.upload(*[PHOTO] * 4)
    at.count(4)
    at.paint("make it red", steps=2)
    choose_model(at, 2)
    expect(at.page.locator(".op-references > .op-line .op-hint")).to_have_text("4 of 3")
    at.button("Reuse settings").click()
    expect(at.page.locator(".op-references > .op-line .op-hint")).to_have_text("4 of 6")
    expect(at.page.locator("#count input[type=number]")).to_have_value("4")


def test_what_is_on_the_canvas_is_in_sight_in_a_long_history(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page(width=1000)
    at.paint("a cat", steps=1)
    for _ in range(12):
        at.button("Again, another seed").click()
    expect(at.nodes()).to_have_count(13)
    chosen = at.page.locator(".op-tree [aria-selected=true] > .op-node")
    assert chosen.evaluate(IN_SIGHT)
    at.page.locator(".op-tree [aria-selected=true]").focus()
    at.page.keyboard.press("Home")
    expect(at.nodes().first).to_have_attribute("aria-selected", "true")
    assert chosen.evaluate(IN_SIGHT)
    at.page.keyboard.press("End")
    expect(at.nodes().last).to_have_attribute("aria-selected", "true")
    shot(at.page, "long-history")
