"""OpenAI's npm client 7.55.0, unmodified, run by node against a real server process."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.contract.api.conftest import RunningServer
from tests.contract.api.faulty_proxy import Fault, faulty_proxy
from tests.contract.api.node import needs_npm, run_node

pytestmark = needs_npm
CAT = {"prompt": "a cat", "size": "256x256"}


def node(url: str, key: str, action: str, **asked: Any) -> Any:
    return run_node("openai.mjs", f"{url}/openai/v1", key, action, json.dumps(asked))


def picture_of(item: dict[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(item["b64_json"])))


def test_a_picture_is_generated_with_fields_of_its_own(server: RunningServer) -> None:
    answer = node(server.url, server.key, "generate", **CAT, n=2, seed=7, num_inference_steps=3)
    assert [picture_of(item).size for item in answer["data"]] == [(256, 256)] * 2
    assert answer["size"] == "256x256"


def test_files_are_edited_under_a_mask(server: RunningServer, png: bytes, tmp_path: Path) -> None:
    picture, mask = tmp_path / "a.png", tmp_path / "mask.png"
    picture.write_bytes(png)
    Image.new("RGBA", (400, 384), (0, 0, 0, 255)).crop((0, 0, 400, 384)).save(mask)
    with Image.open(mask) as image:
        image.paste((0, 0, 0, 0), (0, 0, 200, 384))
        image.save(mask)
    answer = node(server.url, server.key, "edit", prompt="a sky", files=[str(picture), str(picture)], mask=str(mask))
    painted = picture_of(answer["data"][0]).convert("RGB")
    assert painted.getpixel((399, 10)) == (255, 0, 0)
    assert painted.getpixel((0, 10)) != (255, 0, 0)


def test_a_stream_ends_with_the_picture(server: RunningServer) -> None:
    events = node(server.url, server.key, "generate", **CAT, stream=True, partial_images=2)
    assert [event["type"] for event in events] == ["image_generation.partial_image"] * 2 + [
        "image_generation.completed"
    ]
    assert picture_of(events[-1]).size == (256, 256)


def test_errors_are_of_the_clients_own_classes(server: RunningServer) -> None:
    wrong = node(server.url, "op_wrong", "generate", **CAT)
    assert (wrong["error"], wrong["status"], wrong["code"]) == ("AuthenticationError", 401, "invalid_api_key")
    assert wrong["requestID"]
    bad = node(server.url, server.key, "generate", prompt="a cat", quality="best")
    assert (bad["error"], bad["status"], bad["param"]) == ("BadRequestError", 400, "quality")


def test_models_are_listed(server: RunningServer) -> None:
    assert "gpt-image-2" in node(server.url, server.key, "models")


@pytest.mark.parametrize("fault", ["lost answer", "refused"])
def test_a_retry_of_the_client_never_paints_twice(server: RunningServer, fault: Fault) -> None:
    key = server.new_key()
    with faulty_proxy(server.url, [fault]) as proxy:
        answer = node(proxy.url, key, "generate", **CAT, options={"maxRetries": 2})
    assert answer["data"], answer
    assert proxy.posts == 2
    with server.client(key) as http:
        assert len(http.get("/overpaint/v1/tasks").json()["tasks"]) == 1
