"""Branching, masking, sessions: from one picture to the next."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, SaveShot
from tests.browser.driver import serious_findings
from tests.contract.api.conftest import RunningServer

PURPLE = Path(__file__).parents[2] / "recipes/lora/purple.safetensors"
SAMPLES = Path(__file__).parents[2] / "src/overpaint/bundled/samples"
FIRST = "a cat, yellow background"


def picture_at(page: Page, selector: str) -> np.ndarray:
    """The samples of a picture on the page, as the server sends them."""
    url = page.locator(selector).first.evaluate("image => image.src")
    return np.asarray(Image.open(io.BytesIO(page.request.get(url).body())).convert("RGBA"))


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


def test_outside_a_painted_mask_nothing_changes(open_page: OpenPage, shot: SaveShot) -> None:
    at = open_page()
    at.upload(SAMPLES / "apple-and-dog.png")
    at.page.locator("#paint-mask").click()
    area = at.page.locator("dialog canvas").bounding_box()
    assert area is not None
    x, y, side = area["x"], area["y"], area["width"]
    at.page.mouse.move(x + side * 0.7, y + side * 0.4)
    at.page.mouse.down()
    at.page.mouse.move(x + side * 0.8, y + side * 0.6, steps=6)
    at.page.mouse.up()
    shot(at.page, "mask")
    at.button("Use this mask").click()
    expect(at.page.locator(".op-mask-over")).to_be_visible()
    mask = picture_at(at.page, ".op-mask-over")[..., 0]
    at.paint("replace the dog with a cat")
    before, after = picture_at(at.page, ".op-tiles img.op-checker"), picture_at(at.page, ".op-result")
    assert before.shape == after.shape
    outside = mask == 0
    assert 0.3 < outside.mean() < 0.99
    np.testing.assert_array_equal(after[outside], before[outside])
    assert not np.array_equal(after[~outside], before[~outside])
    at.button("Difference").click()
    share = float(at.page.locator(".op-share").get_attribute("data-share") or "nan")
    assert share >= outside.mean()


def test_a_mask_is_imported_inverted_feathered_and_undone(open_page: OpenPage, tmp_path: Path) -> None:
    at = open_page()
    at.upload(SAMPLES / "apple-and-dog.png")
    half = Image.new("L", (128, 128))
    half.paste(255, (0, 0, 64, 128))
    half.save(tmp_path / "half.png")
    at.page.locator("#paint-mask").click()
    at.page.locator("dialog input[type=file]").set_input_files(tmp_path / "half.png")
    at.page.wait_for_function(
        "() => document.querySelector('dialog canvas').getContext('2d').getImageData(2, 2, 1, 1).data[3] === 255"
    )
    at.button("Invert").click()
    at.button("Clear").click()
    at.button("Undo").click()
    at.page.locator("#mask-feather").fill("16")
    at.button("Use this mask").click()
    mask = picture_at(at.page, ".op-mask-over")[..., 0]
    middle = mask[mask.shape[0] // 2]
    assert middle[2] == 0
    assert middle[-2] == 255
    assert len(np.unique(middle)) > 8


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
