"""The mask: painted, imported, softened, and what it keeps as it was."""

from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, SaveShot
from tests.browser.driver import picture_at

SAMPLES = Path(__file__).parents[2] / "src/overpaint/bundled/samples"


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


def test_a_mask_fits_a_photo_that_lies_on_its_side_in_its_file(open_page: OpenPage, tmp_path: Path) -> None:
    """As phones write what is taken upright; its EXIF block says how to turn it."""
    photo, exif = tmp_path / "photo.jpg", Image.Exif()
    exif[0x0112] = 6
    Image.effect_noise((240, 160), 90).save(photo, exif=exif)
    at = open_page()
    at.upload(photo)
    at.page.locator("#paint-mask").click()
    area = at.page.locator("dialog canvas")
    assert area.evaluate("area => [area.width, area.height]") == [160, 240]
    area.click()
    at.button("Use this mask").click()
    expect(at.page.locator(".op-mask-over")).to_be_visible()
    at.paint("make it red", steps=2)


def test_a_stroke_begins_on_the_picture(open_page: OpenPage) -> None:
    """One that comes in from beside it draws nothing, and no line from where the last one ended."""
    at = open_page()
    at.upload(SAMPLES / "apple-and-dog.png")
    at.page.locator("#paint-mask").click()
    area = at.page.locator("dialog canvas").bounding_box()
    assert area is not None
    mouse, (left, right, top) = at.page.mouse, (area["x"], area["x"] + area["width"], area["y"])
    for begin, end in (
        ((left + 20, top + 20), (left + 30, top + 20)),
        ((right + 12, top + 300), (right - 40, top + 300)),
    ):
        mouse.move(*begin)
        mouse.down()
        mouse.move(*end, steps=4)
        mouse.up()
    painted = """() => {
        const mask = document.querySelector("dialog canvas");
        const { data } = mask.getContext("2d").getImageData(0, mask.height / 4, mask.width, mask.height * 3 / 4);
        return data.some((sample) => sample > 0);
    }"""
    assert not at.page.evaluate(painted)


def test_a_soft_mask_for_a_large_photo_is_no_empty_one(open_page: OpenPage, tmp_path: Path) -> None:
    """64 megapixels; three times its sides are more than a browser's canvas may have."""
    Image.new("RGB", (9000, 7000), "teal").save(tmp_path / "photo.jpg")
    at = open_page()
    at.upload(tmp_path / "photo.jpg")
    at.page.locator("#paint-mask").click()
    at.page.locator("dialog canvas").click()
    at.page.locator("#mask-feather").fill("16")
    at.button("Use this mask").click()
    mask = picture_at(at.page, ".op-mask-over")[..., 0]
    assert mask.shape == (7000, 9000)
    assert mask[3500, 4500] == 255


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
