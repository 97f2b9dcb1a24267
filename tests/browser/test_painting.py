"""Painting, watching, stopping, and finding it again."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import BUNDLED, OpenPage, SaveShot
from tests.browser.driver import LONG_STEPS
from tests.contract.api.conftest import start_server

SAMPLES = Path(__file__).parents[2] / "src/overpaint/bundled/samples"
PROMPT = "a cat on the left and a dog on the right, green background"


def test_an_example_is_painted_at_one_click(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page()
    expect(at.page.locator(".op-card")).to_have_count(6)
    shot(at.page, "empty")
    at.page.locator(".op-card").first.click()
    at.result_of("replace the dog with a cat")
    expect(at.page.locator("#prompt textarea")).to_have_value("replace the dog with a cat")
    expect(at.page.locator(".op-tiles li")).to_have_count(1)


def test_a_picture_is_seen_as_it_is_painted(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page()
    at.write(PROMPT)
    at.steps(LONG_STEPS)
    at.count(3)
    at.page.keyboard.press("Control+Enter")
    at.looks(30)
    expect(at.page.get_by_role("progressbar").first).to_have_attribute("aria-valuemax", str(3 * LONG_STEPS))
    shot(at.page, "painting")
    at.result_of(PROMPT)
    expect(at.page.locator(".op-variations img")).to_have_count(3)
    at.page.locator(".op-variations button").first.focus()
    at.page.keyboard.press("ArrowRight")
    expect(at.page.locator(".op-variations button").nth(1)).to_have_attribute("aria-pressed", "true")


def test_a_photo_is_edited_and_compared(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page()
    at.upload(SAMPLES / "apple-and-dog.png")
    expect(at.page.locator(".op-tiles img")).to_be_visible()
    at.paint("change the background to yellow")
    at.button("Before / after").click()
    split = at.page.locator(".op-compare input")
    split.focus()
    split.press("ArrowLeft")
    assert at.page.locator(".op-compare").get_attribute("style", timeout=5000).endswith("--split: 49%;")  # pyright: ignore
    shot(at.page, "compare")
    at.button("Difference").click()
    share = float(at.page.locator(".op-share").get_attribute("data-share") or "nan")
    assert 0 <= share <= 1
    shot(at.page, "difference")
    at.page.locator(".op-facts summary").click()
    expect(at.page.locator(".op-facts dl")).to_contain_text("change the background to yellow")
    with at.page.expect_download() as download:
        at.page.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_cancel_works_mid_way(open_page: OpenPage) -> None:
    at = open_page()
    at.paint_for_long(PROMPT, runs=1)
    at.looks(1)
    at.page.locator(".op-painting .op-stop").click()
    expect(at.page.locator(".op-canvas")).to_have_attribute("data-state", "cancelled")
    at.stop_all()


def test_a_reload_mid_run_loses_nothing(open_page: OpenPage) -> None:
    at = open_page()
    at.write(PROMPT)
    at.steps(LONG_STEPS)
    at.count(3)
    at.run()
    at.looks(1)
    at.page.reload()
    at.ready()
    expect(at.nodes()).to_have_count(1)  # under way in the tray, too, where it is not yet done
    expect(at.page.locator("#prompt textarea")).to_have_value(PROMPT)
    at.result_of(PROMPT)
    expect(at.page.locator(".op-variations img")).to_have_count(3)


def test_a_restart_of_the_server_loses_nothing(open_page: OpenPage, tmp_path: Path) -> None:
    first = start_server(tmp_path, model=str(BUNDLED))
    at = open_page(secret=first.key, at=first)
    at.write(PROMPT)
    at.steps(LONG_STEPS)
    at.count(6)
    at.run()
    at.looks(1)
    port = first.url.rpartition(":")[2]
    first.stop()
    second = start_server(tmp_path, "--port", port, model=str(BUNDLED), key=first.key)
    try:
        at.page.reload()
        at.ready()
        at.result_of(PROMPT)
    finally:
        second.stop()


def test_two_runs_are_under_way_at_once(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page()
    at.steps(LONG_STEPS)
    at.count(6)
    for prompt in (PROMPT, "a red car, yellow background"):
        at.write(prompt)
        at.run()
    expect(at.page.locator(".op-tray li")).to_have_count(2)
    at.page.locator(".op-tray .op-run").first.click()
    expect(at.page.locator(".op-painting > .op-said")).to_have_text(PROMPT)
    shot(at.page, "tray")
    for left in (1, 0):
        at.page.locator(".op-tray .op-button").first.click()
        expect(at.page.locator(".op-tray li")).to_have_count(left)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("notes.txt", b"just words", "must be a JPEG, PNG, WebP or GIF picture"),
        ("broken.png", b"\x89PNG\r\n\x1a\n\x00\x00", "cannot be read"),
    ],
)
def test_a_wrong_file_is_told_beside_the_field(
    open_page: OpenPage, shot: SaveShot, tmp_path: Path, name: str, data: bytes, told: str
) -> None:
    at = open_page()
    (tmp_path / name).write_bytes(data)
    at.upload(tmp_path / name)
    alert = at.page.locator(".op-references").get_by_role("alert")
    expect(alert).to_contain_text(told)
    expect(alert).to_contain_text(name)
    expect(at.page.locator(".op-tiles li")).to_have_count(0)
    shot(at.page, f"wrong-file-{Path(name).suffix[1:]}")


def test_what_the_service_refuses_is_told_beside_the_button(open_page: OpenPage) -> None:
    at = open_page()
    at.run()
    expect(at.page.locator("#notice").get_by_role("alert")).to_contain_text("Prompt must")
    expect(at.page.locator("#notice").get_by_role("alert")).to_have_css("color", "rgb(163, 18, 47)")
    at.write("edit this")
    at.page.locator("#by-url").fill("http://127.0.0.1:9/picture.png")
    at.button("Add").click()
    at.run()
    expect(at.page.locator("#problem").get_by_role("alert")).to_contain_text("Picture 1: “http")


def test_richer_words_are_shown_before_they_are_used(open_page: OpenPage) -> None:
    at = open_page()
    at.write("a cat")
    at.page.locator("#enhance").click()
    richer = at.page.locator("#rewritten textarea")
    expect(richer).to_have_value("a cat, clear subject, balanced composition, soft light, fine detail.")
    richer.fill("a cat, blue background")
    at.run()
    at.result_of("a cat, blue background")


def test_richer_words_are_not_painted_again_in_the_place_of_new_ones(open_page: OpenPage) -> None:
    at = open_page()
    at.write("a cat")
    at.page.locator("#enhance").click()
    richer = at.page.locator("#rewritten textarea")
    richer.fill("a cat, blue background")
    at.run()
    at.result_of("a cat, blue background")
    at.button("Edit further").click()
    expect(richer).to_be_hidden()
    at.paint("change the background to green")
