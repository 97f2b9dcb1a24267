"""The same edit through every dialect: same picture, words, seed, size and steps give the same pixels from each.

Compared with what the server's own API gives; `telltale` paints a colour that depends on all of it.
"""

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from tests.contract.api.adapters import ADAPTERS
from tests.contract.api.adapters.frame import Adapter, Asked
from tests.contract.api.conftest import HUB_ID, LOCAL, RunningServer
from tests.contract.api.test_wavespeed_python import data_uri

LORA_FIELDS = {
    "wavespeed": "loras[0]: ",
    "fal": '["body", "loras", 0]',
    "segmind": "lora: ",
    "pixazo": "loras[0]: ",
    "openai": "'param': 'lora'",
    "replicate": "input.lora_weights: ",
}
NO_LORAS = {adapter.name for adapter in ADAPTERS} - set(LORA_FIELDS)


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
        "adapters": [{"source": asked.lora}] if asked.lora else [],
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


@pytest.mark.parametrize("adapter", [one for one in ADAPTERS if one.name not in NO_LORAS], ids=lambda one: one.name)
def test_the_same_lora_has_the_same_pixels_in_every_dialect_that_has_a_field_for_it(
    telltale: RunningServer, adapter: Adapter, asked: Asked
) -> None:
    asked = replace(asked, lora=LOCAL)
    assert pixels(adapter.paint(telltale, telltale.key, asked)) == pixels(painted_natively(telltale, asked))


@pytest.mark.parametrize(("name", "field"), LORA_FIELDS.items())
def test_a_lora_that_is_not_here_is_told_by_the_dialects_own_name_for_it(
    telltale: RunningServer, asked: Asked, name: str, field: str
) -> None:
    adapter = next(one for one in ADAPTERS if one.name == name)
    with pytest.raises(Exception) as caught:  # noqa: PT011  each client's own
        adapter.paint(telltale, telltale.key, replace(asked, lora="somebody/style"))
    told = adapter.told(caught.value)
    assert told.status in (400, 422)
    assert "is not an adapter of this server" in told.text
    assert field in told.text


def test_what_can_be_named_is_listed(telltale: RunningServer) -> None:
    with telltale.client() as http:
        assert http.get("/overpaint/v1/models").json()["adapters"] == [f"{HUB_ID}/pytorch_lora_weights", LOCAL]


@pytest.mark.parametrize("change", [{"seed": 8}, {"lora": LOCAL}])
def test_the_comparison_can_fail(telltale: RunningServer, asked: Asked, change: dict[str, Any]) -> None:
    other = replace(asked, **change)
    assert pixels(painted_natively(telltale, other)) != pixels(painted_natively(telltale, asked))
