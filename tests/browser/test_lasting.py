"""What comes in between: restarts, broken networks, reloads, pictures that are still on their way."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import BUNDLED, OpenPage, SaveShot
from tests.browser.driver import Paint
from tests.contract.api.conftest import RunningServer, start_server

SAMPLES = Path(__file__).parents[2] / "src/overpaint/bundled/samples"
PHOTO = SAMPLES / "apple-and-dog.png"
EDIT = "make it red"


def test_a_restart_of_the_server_ends_no_open_page(open_page: OpenPage, tmp_path: Path) -> None:
    first = start_server(tmp_path, model=str(BUNDLED))
    at = open_page(secret=first.key, at=first)
    at.upload(PHOTO)
    expect(at.page.locator(".op-tiles li")).to_have_count(1)
    at.write(EDIT)
    at.count(2)
    first.stop()
    expect(at.page.locator(".op-lost")).to_contain_text("cannot be reached")
    second = start_server(tmp_path, "--port", first.url.rpartition(":")[2], model=str(BUNDLED), key=first.key)
    try:
        expect(at.page.locator(".op-lost")).to_have_text("")
        at.run()
        at.result_of(EDIT)
        expect(at.page.locator(".op-variations img")).to_have_count(2)
    finally:
        second.stop()


def test_what_is_pressed_without_a_network_leaves_the_form_as_it_is(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page()
    at.upload(PHOTO)
    expect(at.page.locator(".op-tiles li")).to_have_count(1)
    at.write(EDIT)
    at.count(3)
    at.page.context.set_offline(True)
    at.run()
    expect(at.page.locator(".op-lost")).to_contain_text("cannot be reached")
    at.upload(SAMPLES / "car-and-tree.png")
    expect(at.page.locator(".op-references [role=alert]")).to_contain_text("“car-and-tree.png” did not arrive")
    shot(at.page, "offline")
    at.page.context.set_offline(False)
    expect(at.page.locator(".op-lost")).to_have_text("")
    expect(at.page.locator(".op-tiles li")).to_have_count(1)
    at.run()
    at.result_of(EDIT)
    expect(at.page.locator(".op-variations img")).to_have_count(3)


def test_a_key_revoked_while_nothing_happens_leads_to_the_sign_in_page(
    open_page: OpenPage, server: RunningServer
) -> None:
    with server.client() as http:
        secret = http.post("/overpaint/v1/keys", json={"name": "leaving"}).raise_for_status().json()["secret"]
    at = open_page(secret=secret)
    with server.client() as http:
        http.delete("/overpaint/v1/keys/leaving").raise_for_status()
    expect(at.page.locator("#key")).to_be_visible()


def test_a_reload_keeps_words_and_pictures_and_signing_out_forgets_them(open_page: OpenPage, key: str) -> None:
    at = open_page()
    at.upload(PHOTO)
    expect(at.page.locator(".op-tiles li")).to_have_count(1)
    at.write(EDIT)
    at.page.reload()
    at.ready()
    expect(at.page.locator(".op-tiles li")).to_have_count(1)
    at.run()
    at.result_of(EDIT)
    expect(at.button("Before / after")).to_be_visible()
    at.button("Sign out").click()
    at.sign_in(key)
    expect(at.page.locator(".op-tiles li")).to_have_count(0)


def test_a_reload_and_another_language_keep_the_settings_and_signing_out_forgets_all(
    open_page: OpenPage, key: str
) -> None:
    at = open_page()
    choose_model(at, "qwen-image-2.0-pro")
    at.page.locator("#shape label", has_text="16:9").click()
    at.count(3)
    at.steps(7)
    at.page.locator("#format label", has_text="webp").click()
    at.page.locator("#dice").click()
    expect(at.page.locator("#lock input")).to_be_checked()
    seed = at.page.locator("#seed input").input_value()
    at.write(EDIT)
    at.page.get_by_role("link", name="中文").click()
    at.ready()
    expect(at.page.locator("#model input")).to_have_value(re.compile("qwen-image-2.0-pro"))
    expect(at.page.locator("#shape input:checked")).to_have_value("16:9")
    expect(at.page.locator("#count input[type=number]")).to_have_value("3")
    expect(at.page.locator("#seed input")).to_have_value(seed)
    expect(at.page.locator("#lock input")).to_be_checked()
    at.page.locator("#advanced > button").click()
    expect(at.page.locator("#steps input[type=number]")).to_have_value("7")
    expect(at.page.locator("#format input:checked")).to_have_value("webp")
    at.page.get_by_role("button", name="退出").click()
    at.sign_in(key)
    expect(at.page.locator("#model input")).not_to_have_value(re.compile("pro"))
    expect(at.page.locator("#count input[type=number]")).to_have_value("1")
    expect(at.page.locator("#prompt textarea")).to_have_value("")


def choose_model(at: Paint, name: str) -> None:
    """Choose a model, and wait until the form is as it wants it."""
    at.page.locator("#model input").click()
    at.page.get_by_role("option", name=name).click()
    expect(at.page.locator("#model input")).to_have_value(re.compile(name))
    at.page.wait_for_timeout(500)


@pytest.mark.parametrize("arrives", [True, False])
def test_painting_waits_for_pictures_on_their_way(open_page: OpenPage, *, arrives: bool) -> None:
    at = open_page()
    held: list[Route] = []
    at.page.route(re.compile("/page/pictures"), lambda route: held.append(route))
    at.upload(PHOTO)
    expect(at.page.locator(".op-drop")).to_contain_text("Uploading")
    at.write(EDIT)
    at.steps(2)
    at.run()
    expect(at.page.locator("#run")).to_have_attribute("data-waits", re.compile("pictures"))
    held[0].continue_() if arrives else held[0].abort()
    if arrives:
        at.result_of(EDIT)
        expect(at.button("Before / after")).to_be_visible()
    else:
        expect(at.page.locator(".op-references [role=alert]")).to_contain_text("did not arrive")
        at.page.wait_for_timeout(1000)
        expect(at.nodes()).to_have_count(0)
    expect(at.page.locator("#run")).not_to_have_attribute("data-waits", re.compile("."))
