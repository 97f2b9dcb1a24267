"""The same edit through every dialect: same picture, words, seed, size and steps give the same pixels from each.

Compared with what the server's own API gives; `telltale` paints a colour that depends on all of it.
"""

import io

import pytest
from PIL import Image

from tests.contract.api.adapters import ADAPTERS
from tests.contract.api.adapters.frame import Adapter, Asked
from tests.contract.api.conftest import RunningServer
from tests.contract.api.test_wavespeed_python import data_uri


def pixels(data: bytes) -> tuple[tuple[int, int], object]:
    picture = Image.open(io.BytesIO(data))
    return picture.size, picture.convert("RGB").getcolors()


def painted_natively(server: RunningServer, asked: Asked) -> bytes:
    body = {
        "model": "qwen-image-2.0",
        "prompt": asked.prompt,
        "images": list(asked.pictures),
        "size": f"{asked.size[0]}x{asked.size[1]}",
        "seed": asked.seed,
        "steps": asked.steps,
    }
    with server.client() as http:
        task = http.post("/overpaint/v1/tasks", params={"wait_s": 30}, json=body).raise_for_status().json()
        return http.get(task["images"][0]["url"]).content


@pytest.fixture
def asked(png: bytes) -> Asked:
    return Asked(pictures=(data_uri(png),))


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_the_same_edit_has_the_same_pixels_in_every_dialect(
    telltale: RunningServer, adapter: Adapter, asked: Asked
) -> None:
    assert pixels(adapter.paint(telltale, telltale.key, asked)) == pixels(painted_natively(telltale, asked))


def test_the_comparison_can_fail(telltale: RunningServer, asked: Asked) -> None:
    other = Asked(pictures=asked.pictures, seed=asked.seed + 1)
    assert pixels(painted_natively(telltale, other)) != pixels(painted_natively(telltale, asked))
