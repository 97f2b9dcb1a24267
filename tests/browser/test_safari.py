"""What a person does, in Safari's engine: where it draws, lays out or lets scripts do otherwise than Chromium."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import SHOTS
from tests.browser.safari import MISSING, Safari, safari
from tests.contract.api.conftest import RunningServer

pytestmark = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")
EDIT = "make it red"


@pytest.fixture
def at(server: RunningServer, key: str) -> Iterator[Safari]:
    """The page, signed in."""
    with safari() as window:
        window.open(f"{server.url}/page/sign-in")
        window.type("#key", key)
        window.click("button[type=submit]")
        window.wait("document.querySelector('.op-history header') && document.querySelector('.op-who')")
        yield window


def test_a_picture_is_masked_edited_and_compared(at: Safari, tmp_path: Path) -> None:
    photo, half = Image.new("RGB", (160, 128), "teal"), Image.new("L", (160, 128))
    half.paste(255, (0, 0, 80, 128))
    photo.save(tmp_path / "photo.avif")
    half.save(tmp_path / "half.png")
    at.type(".op-references input[type=file]", str(tmp_path / "photo.avif"))
    at.click("#paint-mask")
    at.type("dialog input[type=file]", str(tmp_path / "half.png"))
    at.wait("document.querySelector('dialog canvas').getContext('2d').getImageData(9, 9, 1, 1).data[3] === 255")
    at.shot(SHOTS / "safari-mask.png")
    box = "const {width, height} = document.querySelector(`dialog ${arguments[0]}`).getBoundingClientRect();"
    drawn, seen = (at.run(f"{box} return [width, height]", name) for name in ("canvas", "img"))
    assert drawn == seen, "what is painted lies where it is seen"
    at.run("document.querySelector('#mask-feather').value = 16")
    at.click("[data-act=keep]")
    middle = picture_at(at, ".op-mask-over")[64, :, 0].astype(int)
    assert (middle[8], middle[-8]) == (255, 0)
    assert np.all(np.diff(middle) <= 0)
    assert len(np.unique(middle)) > 8, "the edge is soft"

    at.type("#prompt textarea", EDIT)
    at.click("#run")
    at.wait(
        "document.querySelector('.op-canvas[data-state=succeeded] .op-below > .op-said')?.textContent === arguments[0]",
        EDIT,
    )
    at.click("[data-mode=compare]")
    at.wait("document.querySelector('.op-compare img')?.naturalWidth === 160")
    at.shot(SHOTS / "safari-compare.png")
    assert at.run("return document.documentElement.scrollWidth <= innerWidth")
    painted = picture_at(at, ".op-compare img")
    assert np.array_equal(painted[:, -8:], picture_at(at, ".op-before")[:, -8:]), "outside the mask nothing changes"


def picture_at(at: Safari, selector: str) -> np.ndarray:
    """The samples of a picture on the page, as the server sends them."""
    at.wait("document.querySelector(arguments[0])", selector)
    url = at.run("return document.querySelector(arguments[0]).src", selector)
    data = httpx.get(url, trust_env=False).raise_for_status().content
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
