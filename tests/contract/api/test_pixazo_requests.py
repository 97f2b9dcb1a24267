"""Pixazo has no client: `requests`, as its documents show it, against a real server process.

Numbers are those of the conformance list that the dialect was built from.
"""

import base64
import io
import time
from typing import Any

import requests
from PIL import Image

from tests.contract.api.conftest import HUB_ID, LOCAL, RunningServer
from tests.contract.api.gate import Gate

LITE = "qwen-image-lite/v1/qwen-image-lite-request"
MAX = "qwen-image-max/v1/qwen-image-max-request"
LAYERED = "qwen-image-layered/v1/qwen-image-layered-request"
LORA = "qwen-image-edit-plus/v1/qwen-image-edit-plus-lora/generate"
CAT = {"prompt": "a cat", "image_size": "square"}


def post(server: RunningServer, path: str, body: dict[str, Any], key: str | None = None, **rest: Any) -> Any:
    headers = {
        "Ocp-Apim-Subscription-Key": key or server.key,
        "Cache-Control": "no-cache",
        "Content-Type": "application/json",
    }
    return requests.post(f"{server.url}/pixazo/{path}", json=body, headers=headers, timeout=60, **rest)


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def lite(png: bytes) -> dict[str, Any]:
    """The sample body of the skill."""
    return {
        "image_url": data_uri(png),
        "prompt": "make it blue",
        "negative_prompt": "",
        "num_inference_steps": 4,
        "true_cfg_scale": 1.0,
        "guidance_scale": 1.0,
        "seed": 42,
        "num_images": 1,
        "output_format": "png",
    }


def fetch(answer: Any) -> bytes:
    answer.raise_for_status()
    return requests.get(answer.json()["images"][0]["url"], timeout=30).content


def test_1_2_11_the_sample_is_painted_and_its_seed_repeats_it(server: RunningServer, png: bytes) -> None:
    first, again = (fetch(post(server, LITE, lite(png))) for _ in range(2))
    assert Image.open(io.BytesIO(first)).format == "PNG"
    assert first == again


def test_3_layers_are_what_the_checkpoint_cannot_do(server: RunningServer, png: bytes) -> None:
    answer = post(server, LAYERED, lite(png))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("num_layers: ")


def test_4_an_adapter_changes_the_picture(server: RunningServer, png: bytes) -> None:
    bodies = [lite(png), *(lite(png) | {"loras": [{"path": path, "scale": 0.8}]} for path in (LOCAL, HUB_ID))]
    plain, by_name, by_id = (
        Image.open(io.BytesIO(fetch(post(server, LORA, body)))).convert("RGB").getcolors() for body in bodies
    )
    assert plain != by_name == by_id


def test_4_an_adapter_that_is_not_here_is_told(server: RunningServer, png: bytes) -> None:
    answer = post(server, LORA, lite(png) | {"loras": [{"path": "somebody/style", "scale": 1}]})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("loras[0]: 'somebody/style' is not an adapter of this server")


def test_5_several_pictures(server: RunningServer, png: bytes) -> None:
    body = {"prompt": "put them together", "image_urls": [data_uri(png)] * 2}
    assert fetch(post(server, "qwen-image-max-edit/v1/qwen-image-max-edit-request", body)).startswith(b"\x89PNG")


def test_6_the_conversation(server: RunningServer, png: bytes) -> None:
    content = [{"image": data_uri(png)}, {"text": "make it blue"}]
    body = {
        "model": "qwen-image-edit",
        "input": {"messages": [{"role": "user", "content": content}]},
        "parameters": {"negative_prompt": "", "watermark": False},
    }
    answer = post(server, "qwen-image/v1/generateMultimodeTextToImageEditRequest", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["output"]["choices"][0]["message"]["content"][0]["image"]


def test_7_polling(server: RunningServer) -> None:
    asked = post(server, MAX, CAT, params={"async": "1"}).json()
    assert asked["request_id"].startswith("qwen-image-max_")
    headers, deadline_s = {"Ocp-Apim-Subscription-Key": server.key}, time.monotonic() + 30
    state = asked
    while state["status"] in ("QUEUED", "PROCESSING"):
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
        state = requests.get(asked["polling_url"], headers=headers, timeout=10).json()
    assert state["status"] == "COMPLETED"
    assert isinstance(state["output"]["media_url"], list)
    assert requests.post(asked["polling_url"], headers=headers, timeout=10).json() == state


def test_8_a_request_that_ends_without_a_picture(server: RunningServer, gate: Gate) -> None:
    asked = post(server, MAX, CAT | {"prompt": gate.words}, params={"async": "1"}).json()
    with server.client() as http:
        task_id = asked["request_id"].rpartition("_")[2].replace("-", "")
        http.post(f"/overpaint/v1/tasks/{task_id}/cancel").raise_for_status()
    headers = {"Ocp-Apim-Subscription-Key": server.key}
    state = requests.get(asked["polling_url"], headers=headers, timeout=10).json()
    assert (state["status"], state["error"]) == ("FAILED", "the task was cancelled")


def test_9_keys(server: RunningServer) -> None:
    assert requests.post(f"{server.url}/pixazo/{MAX}", json=CAT, timeout=10).status_code == 401
    assert post(server, MAX, CAT, key="wrong").status_code == 401
    url = f"{server.url}/pixazo/{MAX}?subscription-key={server.key}"
    assert requests.post(url, json=CAT, timeout=60).status_code == 200


def test_10_no_credit_and_too_many(server: RunningServer) -> None:
    assert post(server, MAX, CAT, key=server.new_key(monthly_budget_usd=0)).status_code == 402
    key = server.new_key(requests_per_minute=1)
    post(server, MAX, CAT, key=key).raise_for_status()
    refused = post(server, MAX, CAT, key=key)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["error"]
