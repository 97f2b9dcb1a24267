"""Pictures of every shape and kind, and the ways they come to the page and are looked at."""

import html
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, SaveShot
from tests.browser.driver import Paint

SAMPLES = Path(__file__).parents[2] / "src/overpaint/bundled/samples"
PHOTO = SAMPLES / "apple-and-dog.png"
DROP = """(dragged) => {
  const data = new DataTransfer();
  for (const [type, value] of Object.entries(dragged)) data.setData(type, value);
  const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector(".op-canvas").dispatchEvent(drop);
}"""
ADDRESS = "https://example.com/a.jpg"


def shown_shape(at: Paint, selector: str) -> float:
    """Width over height of something on the page."""
    box = at.page.locator(selector).first.bounding_box()
    assert box
    return box["width"] / box["height"]


def test_a_tall_picture_keeps_its_shape_in_every_view(open_page: OpenPage, tmp_path: Path, shot: SaveShot) -> None:
    Image.open(PHOTO).convert("RGB").resize((128, 512)).save(tmp_path / "tall.png")
    at = open_page()
    at.upload(tmp_path / "tall.png")
    expect(at.page.locator(".op-tiles li")).to_have_count(1)
    at.paint("make it red", steps=2)
    image = at.page.locator(".op-result, .op-view img").first
    wanted = image.evaluate("image => image.naturalWidth / image.naturalHeight")
    for mode, selector in (
        ("Result", ".op-view img"),
        ("Side by side", ".op-side figure:last-child img"),
        ("Before / after", ".op-compare"),
        ("Difference", ".op-difference img"),
    ):
        at.button(mode).click()
        expect(at.page.locator(selector)).to_be_visible()
        assert shown_shape(at, selector) == pytest.approx(wanted, rel=0.03)
        box = at.page.locator(selector).bounding_box()
        assert box
        assert box["height"] <= 900 * 0.7, mode
    shot(at.page, "tall")
    at.page.locator("#paint-mask").click()
    assert shown_shape(at, ".op-mask-area") == pytest.approx(0.25, rel=0.03)
    assert at.page.locator("dialog").evaluate("dialog => dialog.scrollHeight <= dialog.clientHeight")


@pytest.mark.parametrize("suffix", ["bmp", "avif"])
def test_what_only_the_browser_reads_is_taken_all_the_same(open_page: OpenPage, tmp_path: Path, suffix: str) -> None:
    Image.open(PHOTO).convert("RGB").save(tmp_path / f"photo.{suffix}")
    at = open_page()
    at.upload(tmp_path / f"photo.{suffix}")
    expect(at.page.locator(".op-tiles img")).to_have_attribute("alt", f"Picture 1: photo.{suffix}")


def test_an_error_of_a_file_is_told_in_the_pages_language(open_page: OpenPage, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    at = open_page(path="/zh")
    at.upload(tmp_path / "dot.png")
    expect(at.page.locator(".op-references [role=alert]")).to_have_text("“dot.png”各边至少 16 像素，现为 1x1")


def test_a_picture_dragged_from_another_page_is_taken_by_its_address(open_page: OpenPage) -> None:
    at = open_page()
    at.page.evaluate(DROP, {"text/uri-list": ADDRESS})
    expect(at.page.locator(".op-tiles .op-link")).to_have_attribute("title", ADDRESS)
    linked = f'<a href="https://example.com/page"><img src="{ADDRESS}?2"></a>'
    at.page.evaluate(DROP, {"text/uri-list": "https://example.com/page", "text/html": linked})
    expect(at.page.locator(".op-tiles .op-link").last).to_have_attribute("title", f"{ADDRESS}?2")


def test_a_result_dragged_into_the_strip_is_gone_on_from(open_page: OpenPage) -> None:
    at = open_page()
    at.paint("a cat", steps=2)
    at.page.drag_and_drop(".op-view img", ".op-drop")
    expect(at.page.locator(".op-tiles img")).to_have_count(1)
    at.page.drag_and_drop(".op-tiles img", ".op-view")  # a picture of the strip is there already
    at.paint("make it red")
    expect(at.page.locator(".op-tiles img")).to_have_count(1)
    expect(at.page.locator(".op-tree [role=group]")).to_have_count(1)


def test_a_small_picture_of_the_history_is_gone_on_from_as_the_whole_one(open_page: OpenPage) -> None:
    at = open_page()
    at.paint("a cat", steps=2)
    small = at.page.locator(".op-node img").evaluate("image => image.src")
    assert "/previews/" in small
    at.page.evaluate(DROP, {"text/uri-list": small, "text/html": f'<img src="{html.escape(small)}">'})
    expect(at.page.locator(".op-tiles img")).to_have_count(1)
    at.paint("make it red", steps=2)
    expect(at.page.locator(".op-tree [role=group]")).to_have_count(1)


def test_an_address_is_added_with_enter_and_judged_at_once(open_page: OpenPage) -> None:
    at = open_page()
    field = at.page.locator("#by-url")
    field.fill("photo.jpg")
    field.press("Enter")
    expect(at.page.locator(".op-references [role=alert]")).to_contain_text("http://")
    expect(field).to_have_value("photo.jpg")
    field.fill(ADDRESS)
    field.press("Enter")
    expect(at.page.locator(".op-tiles .op-link")).to_have_count(1)
    expect(at.page.locator(".op-references [role=alert]")).to_have_count(0)
    expect(field).to_have_value("")
