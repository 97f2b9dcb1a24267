"""Branching, references, sessions: from one picture to the next."""

import base64
import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, SaveShot
from tests.browser.driver import picture_at, serious_findings
from tests.contract.api.conftest import RunningServer

PURPLE = Path(__file__).parents[2] / "recipes/lora/purple.safetensors"
SAMPLES = Path(__file__).parents[2] / "src/overpaint/bundled/samples"
FIRST = "a cat, yellow background"


def test_a_result_is_branched_from_and_returned_to(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page()
    at.paint(FIRST)
    at.button("Edit further").click()
    expect(at.page.locator(".op-tiles li")).to_have_count(1)
    at.paint("change the background to blue")
    at.page.locator(".op-node").first.click()
    at.result_of(FIRST)
    at.button("Edit further").click()
    at.paint("change the background to green")
    expect(at.nodes()).to_have_count(3)
    assert serious_findings(at.page) == []
    root = at.page.locator(".op-tree > li")
    expect(root).to_have_count(1)
    expect(root.locator("> ul > li")).to_have_count(2)
    shot(at.page, "history")
    at.button("Back one step").click()
    at.result_of(FIRST)
    at.page.locator(".op-tree > li").focus()
    at.page.keyboard.press("ArrowRight")
    at.result_of("change the background to blue")


def test_an_adapter_is_chosen_told_and_kept(open_page: OpenPage, server: RunningServer, shot: SaveShot) -> None:
    shutil.copy(PURPLE, server.data_dir / "loras" / "purple.safetensors")
    at = open_page()
    at.page.locator("#advanced > button").click()
    at.page.get_by_role("checkbox", name="purple").check()
    strength = at.page.get_by_role("spinbutton", name="Strength of purple")
    strength.fill("0.5")
    strength.press("Tab")
    shot(at.page, "adapters")
    assert serious_findings(at.page) == []
    at.paint(FIRST)
    at.page.locator(".op-facts summary").click()
    expect(at.page.locator(".op-facts")).to_contain_text("purple:0.5")
    at.page.get_by_role("checkbox", name="purple").uncheck()
    expect(strength).to_have_count(0)
    at.button("Reuse settings").click()
    expect(strength).to_have_value("0.5")
    at.tab("Code")
    expect(at.page.locator(".op-code code")).to_contain_text('"source": "purple"')


def test_a_picture_that_is_gone_is_said_to_be(open_page: OpenPage, server: RunningServer) -> None:
    at = open_page()
    at.paint(FIRST)
    path = at.page.locator(".op-result").evaluate("image => new URL(image.src).pathname")
    (server.data_dir / "files" / path.removeprefix("/files/")).unlink()
    at.page.context.new_cdp_session(at.page).send("Network.clearBrowserCache")  # as long as it has it, it shows it
    at.page.reload()
    at.ready()
    expect(at.page.get_by_role("treeitem", name="No longer kept")).to_be_visible()
    expect(at.page.locator(".op-view")).to_have_text("No longer kept")
    expect(at.page.locator(".op-history")).to_contain_text("Pictures are kept for 7 days")
    assert serious_findings(at.page) == []


def test_what_cannot_be_compared_is_told_and_asked_once(open_page: OpenPage, server: RunningServer) -> None:
    at = open_page()
    at.upload(SAMPLES / "apple-and-dog.png")
    at.paint("replace the apple with a banana")
    source = (
        server.data_dir / "files" / "inputs" / hashlib.sha256((SAMPLES / "apple-and-dog.png").read_bytes()).hexdigest()
    )
    kept = source.read_bytes()
    source.unlink()
    asked: list[str] = []
    at.page.on("request", lambda sent: asked.append(sent.url) if "component_server" in sent.url else None)
    try:
        at.button("Difference").click()
        expect(at.page.locator(".op-view").get_by_role("alert")).to_have_text("there is no such file")
        at.page.wait_for_timeout(500)
    finally:
        source.write_bytes(kept)
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["Use as input", "Edit further", "Reuse settings"])
def test_a_result_that_was_deleted_meanwhile_is_told_to_be(
    name: str, open_page: OpenPage, server: RunningServer, key: str
) -> None:
    at = open_page()
    at.paint(FIRST)
    task_id = at.nodes().first.get_attribute("data-id")
    with server.client(key) as http:
        http.delete(f"/overpaint/v1/tasks/{task_id}").raise_for_status()
    at.button(name).click()
    expect(at.page.locator("#notice").get_by_role("alert")).to_contain_text("there is no task")


def test_the_same_again_is_another_picture_beside_it(open_page: OpenPage) -> None:
    at = open_page()
    at.paint(FIRST)
    before = picture_at(at.page, ".op-result")
    at.button("Again, another seed").click()
    expect(at.nodes()).to_have_count(2)
    expect(at.page.locator("[role=treeitem][aria-selected=true]")).to_have_attribute("aria-label", f"{FIRST} (Done)")
    expect(at.page.locator(".op-tree > li").nth(1)).to_have_attribute("aria-selected", "true")
    at.result_of(FIRST)
    assert not np.array_equal(picture_at(at.page, ".op-result"), before)
    at.button("Use as input").click()
    expect(at.page.locator(".op-tiles li")).to_have_count(1)


def test_settings_of_a_result_come_back(open_page: OpenPage) -> None:
    at = open_page()
    at.steps(7)
    at.paint(FIRST)
    at.write("something else")
    at.steps(9)
    at.button("Reuse settings").click()
    expect(at.page.locator("#prompt textarea")).to_have_value(FIRST)
    expect(at.page.locator("#steps input[type=number]")).to_have_value("7")
    expect(at.page.locator("#lock input")).to_be_checked()
    before = picture_at(at.page, ".op-result")
    at.run()
    expect(at.nodes()).to_have_count(2)
    expect(at.page.locator(".op-tree > li").nth(1)).to_have_attribute("aria-selected", "true")
    at.result_of(FIRST)
    np.testing.assert_array_equal(picture_at(at.page, ".op-result"), before)


def test_a_file_that_misses_the_strip_is_taken_all_the_same(open_page: OpenPage) -> None:
    """The browser would leave the page to show it."""
    at = open_page()
    data = base64.b64encode((SAMPLES / "apple-and-dog.png").read_bytes()).decode()
    at.page.locator(".op-canvas").evaluate(
        """async (canvas, data) => {
            const blob = await (await fetch(`data:image/png;base64,${data}`)).blob();
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([blob], "dropped.png", {type: "image/png"}));
            for (const name of ["dragover", "drop"]) {
                const event = new DragEvent(name, {dataTransfer, bubbles: true, cancelable: true});
                if (canvas.dispatchEvent(event)) throw new Error(`${name} is left to the browser`);
            }
        }""",
        data,
    )
    expect(at.page.locator(".op-tiles img")).to_have_attribute("alt", "Picture 1: dropped.png")


def test_references_are_ordered_and_removed(open_page: OpenPage) -> None:
    at = open_page()
    at.upload(SAMPLES / "apple-and-dog.png", SAMPLES / "cat-on-yellow.png")
    names = at.page.locator(".op-tiles img")
    expect(names).to_have_count(2)
    at.page.get_by_role("button", name="Move picture 2 to the left").click()
    expect(names.first).to_have_attribute("alt", "Picture 1: cat-on-yellow.png")
    at.page.get_by_role("button", name="Remove picture 1").click()
    expect(names).to_have_count(1)
    expect(names.first).to_have_attribute("alt", "Picture 1: apple-and-dog.png")


def test_sessions_are_named_switched_and_exported(open_page: OpenPage) -> None:
    at = open_page()
    at.paint(FIRST)
    at.button("Rename").click()
    at.page.locator("#session").fill("Autumn shoes")
    at.button("Save").click()
    expect(at.page.locator("#session option:checked")).to_have_text("Autumn shoes")
    with at.page.expect_download() as download:
        at.page.get_by_role("link", name="Export zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        told = json.loads(archive.read("session.json"))
        assert told["session"] == "Autumn shoes"
        assert [step["prompt"] for step in told["steps"]] == [FIRST]
        assert Image.open(io.BytesIO(archive.read(told["steps"][0]["pictures"][0]["file"]))).size[0] > 0
    at.button("New").click()
    expect(at.page.locator(".op-card")).to_have_count(6)
    at.page.locator("#session").select_option(label="Autumn shoes")
    at.result_of(FIRST)
    at.page.reload()
    at.ready()
    expect(at.page.locator("#session option:checked")).to_have_text("Autumn shoes")


def test_another_model_brings_its_own_limits(open_page: OpenPage) -> None:
    at = open_page()
    at.page.locator("#model input").click()
    at.page.get_by_role("option").filter(has_text="qwen-image-edit-plus").click()
    expect(at.page.locator(".op-references .op-hint").first).to_have_text("0 of 3")
    expect(at.page.locator("#model")).to_contain_text("up to three pictures")
