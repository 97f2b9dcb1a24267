"""Replicate's npm client 1.4.0, unmodified, run by node against a real server process."""

import base64
import hashlib
import hmac
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.contract.api.conftest import RunningServer
from tests.contract.api.faulty_proxy import faulty_proxy
from tests.contract.api.node import needs_npm, run_node

pytestmark = needs_npm
EDIT, TWO = "qwen/qwen-image-edit", "qwen/qwen-image-2"


def node(url: str, key: str, action: str, model: str, **asked: Any) -> Any:
    return run_node("replicate.mjs", f"{url}/replicate/v1", key, action, model, json.dumps(asked))


def picture_of(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_a_buffer_is_uploaded_and_the_output_is_a_file(server: RunningServer, png: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png)
    answer = node(server.url, server.key, "run", EDIT, prompt="make it blue", file=str(file), output_format="png")
    (output,) = answer["output"]
    assert picture_of(output).format == "PNG"


def test_polling_gives_the_same(server: RunningServer) -> None:
    answer = node(server.url, server.key, "run", TWO, prompt="a cat", wait={"mode": "poll", "interval": 100})
    assert picture_of(answer["output"]).size == (1024, 1024)


def test_a_held_call_that_is_not_done_is_polled(impatient: RunningServer) -> None:
    answer = node(impatient.url, impatient.key, "run", TWO, prompt="a cat", wait={"mode": "block", "timeout": 1})
    assert picture_of(answer["output"]).size == (1024, 1024)


def test_a_stream_is_read_without_a_key(server: RunningServer) -> None:
    events = node(server.url, server.key, "stream", TWO, prompt="a cat")
    kinds = [kind for kind, _ in events]
    assert (kinds[0], kinds[-2:]) == ("logs", ["output", "done"])
    assert events[-2][1].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("asked", "says"), [({}, "prompt is required"), ({"prompt": "x", "aspect_ratio": "7:3"}, "must be one of")]
)
def test_bad_input_is_told_with_its_detail(server: RunningServer, asked: dict[str, Any], says: str) -> None:
    told = node(server.url, server.key, "run", TWO, **asked)
    assert told["error"] == "ApiError"
    assert "422" in told["message"]
    assert says in told["message"]


def test_models_are_searched_and_predictions_paged(server: RunningServer) -> None:
    assert node(server.url, server.key, "search", "qwen-image-2-pro") == ["qwen/qwen-image-2-pro"]
    key = server.new_key()
    node(server.url, key, "run", TWO, prompt="a cat")
    (page,) = node(server.url, key, "pages", "")
    assert len(page) == 1


def test_a_signature_is_checked_with_the_served_secret(server: RunningServer) -> None:
    with server.client() as http:
        secret = http.get("/replicate/v1/webhooks/default/secret").json()["key"]
    stamp = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, f"wh_1.{stamp}.body".encode(), hashlib.sha256).digest()).decode()
    signed = {"id": "wh_1", "timestamp": stamp, "signature": f"v1,{signature}"}
    assert node(server.url, server.key, "webhook", "", **signed, body="body") is True
    assert node(server.url, server.key, "webhook", "", **signed, body="bodies") is False


def test_a_submission_whose_answer_is_lost_is_sent_again_and_painted_once(server: RunningServer) -> None:
    """This client, unlike the Python one, sends a POST again when the connection breaks."""
    key = server.new_key()
    with faulty_proxy(server.url, ["lost answer"]) as proxy:
        answer = node(proxy.url, key, "run", TWO, prompt="a cat")
    assert answer["output"], answer
    assert proxy.posts == 2
    with server.client(key) as http:
        assert len(http.get("/overpaint/v1/tasks").json()["tasks"]) == 1
