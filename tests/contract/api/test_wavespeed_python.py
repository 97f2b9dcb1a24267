"""WaveSpeed's Python client 2.0.5, unmodified, against a real server process."""

import base64
import hashlib
import hmac
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from wavespeed import Client

from tests.contract.api.conftest import RunningServer, wait_until
from tests.contract.api.faulty_proxy import faulty_proxy
from tests.contract.api.gate import Gate
from tests.contract.api.listening import webhook_receiver

EDIT = "wavespeed-ai/qwen-image-2.0/edit"
PAINT = "wavespeed-ai/qwen-image-2.0/text-to-image"


def sdk(server: RunningServer, key: str | None = None, base_url: str | None = None) -> Client:
    return Client(api_key=key or server.key, base_url=base_url or server.wavespeed, retry_interval=0.1)


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def fetch(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False)


@pytest.mark.parametrize("size", [None, "512*256"])
def test_1_run_returns_a_link_to_a_picture_of_the_asked_size(
    server: RunningServer, png: bytes, size: str | None
) -> None:
    asked = {"images": [data_uri(png)], "prompt": "make it blue", "seed": -1} | ({"size": size} if size else {})
    result = sdk(server).run(EDIT, asked, poll_interval=0.1)
    (url,) = result["outputs"]
    answer = fetch(url)
    assert answer.headers["content-type"].startswith("image/")
    picture = Image.open(io.BytesIO(answer.content))
    assert not size or picture.size == (512, 256)


def test_2_a_task_is_created_then_processing_then_completed(server: RunningServer, gate: Gate) -> None:
    with server.client() as http:
        asked = {"prompt": gate.words, "size": "256*256"}
        task = http.post(f"/wavespeed/api/v3/{PAINT}", json=asked).json()["data"]
        assert task["status"] == "created"
        wait_until(lambda: http.get(task["urls"]["get"]).json()["data"]["status"] == "processing")
        gate.open()
        wait_until(lambda: http.get(task["urls"]["get"]).json()["data"]["status"] == "completed")
    data = sdk(server).get_result(task["id"])["data"]
    assert isinstance(data["timings"]["inference"], int)
    assert data["timings"]["inference"] > 0
    assert len(data["has_nsfw_contents"]) == len(data["outputs"]) == 1


def test_3_sync_mode_is_one_post_and_no_get(server: RunningServer) -> None:
    with faulty_proxy(server.url, []) as proxy:
        asked = {"prompt": "a cat", "size": "256*256"}
        result = sdk(server, base_url=f"{proxy.url}/wavespeed").run(PAINT, asked, enable_sync_mode=True)
    assert len(result["outputs"]) == 1
    assert [line.split()[0] for line in proxy.seen] == ["POST"]


def test_4_a_sync_call_that_times_out_says_processing_and_the_task_completes(
    impatient: RunningServer, gate: Gate
) -> None:
    result = sdk(impatient).run_no_throw(PAINT, {"prompt": gate.words, "size": "256*256"}, enable_sync_mode=True)
    assert result["status"] == "processing"
    assert "Sync mode timed out" in result["error"]
    gate.open()
    wait_until(lambda: sdk(impatient).get_result(result["task_id"])["data"]["status"] == "completed")


def test_5_base64_output_is_a_picture(server: RunningServer) -> None:
    asked = {"prompt": "a cat", "size": "256*256", "enable_base64_output": True}
    (text,) = sdk(server).run(PAINT, asked, poll_interval=0.1)["outputs"]
    assert Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2]))).size == (256, 256)


def test_6_a_bad_key_is_401_after_one_post_and_an_unknown_model_404(server: RunningServer) -> None:
    with faulty_proxy(server.url, []) as proxy:
        with pytest.raises(RuntimeError, match="HTTP 401"):
            sdk(server, key="op_wrong", base_url=f"{proxy.url}/wavespeed").run(PAINT, {"prompt": "a cat"})
        assert len(proxy.seen) == 1
    with pytest.raises(RuntimeError, match="HTTP 404"):
        sdk(server).run("wavespeed-ai/nothing", {"prompt": "a cat"})


@pytest.mark.parametrize("is_sync", [False, True])
@pytest.mark.parametrize(("asked", "field"), [({"seed": -1}, "prompt"), ({"prompt": "make it blue"}, "images")])
def test_7_what_is_missing_is_400_on_submit_in_both_modes(
    server: RunningServer, asked: dict[str, Any], field: str, is_sync: bool
) -> None:
    with pytest.raises(RuntimeError, match=f"HTTP 400.*{field}"):
        sdk(server).run(EDIT, asked, enable_sync_mode=is_sync)


def test_8_results_are_asked_again_after_503_and_submissions_never(server: RunningServer) -> None:
    with faulty_proxy(server.url, ["refused"] * 2, method="GET") as proxy:
        asked = {"prompt": "a cat", "size": "256*256"}
        result = sdk(server, base_url=f"{proxy.url}/wavespeed").run(PAINT, asked, poll_interval=0.1)
        assert result["outputs"]
        assert proxy.posts == 1
        assert not proxy.faults
    with faulty_proxy(server.url, ["refused"]) as proxy:
        with pytest.raises(RuntimeError, match="HTTP 503"):
            sdk(server, base_url=f"{proxy.url}/wavespeed").run(PAINT, {"prompt": "a cat"})
        assert len(proxy.seen) == 1


@pytest.mark.parametrize("is_path", [True, False])
def test_9_an_upload_is_usable_as_a_picture(server: RunningServer, png: bytes, tmp_path: Path, is_path: bool) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png)
    if is_path:
        url = sdk(server).upload(str(file))
    else:
        with file.open("rb") as stream:
            url = sdk(server).upload(stream)
    assert fetch(url).content == png
    assert sdk(server).run(EDIT, {"images": [url], "prompt": "make it blue"}, poll_interval=0.1)["outputs"]


def test_10_a_webhook_is_the_bare_prediction_signed_with_the_keys_secret(server: RunningServer) -> None:
    with webhook_receiver() as hook:
        task = sdk(server).run_no_throw(f"{PAINT}?webhook={hook.url}", {"prompt": "a cat", "size": "256*256"})
        headers, body = hook.first()
    with server.client() as http:
        secret = http.get("/wavespeed/api/v3/webhook/secret").json()["data"]["secret"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = secret.removeprefix("whsec_").encode()
    assert headers["webhook-signature"] == "v3," + hmac.new(key, signed, hashlib.sha256).hexdigest()
    assert headers["webhook-signature"] != "v3," + hmac.new(key, signed + b" ", hashlib.sha256).hexdigest()
    told = json.loads(body)
    assert (told["id"], told["status"], told["input"]["prompt"]) == (task["task_id"], "completed", "a cat")
    assert "data" not in told


def test_11_a_seed_repeats_the_bytes_and_minus_one_does_not(server: RunningServer) -> None:
    def paint(seed: int) -> bytes:
        asked = {"prompt": "a cat", "size": "256*256", "seed": seed}
        return fetch(sdk(server).run(PAINT, asked, enable_sync_mode=True)["outputs"][0]).content

    assert paint(7) == paint(7)
    assert paint(-1) != paint(-1)


def test_the_clients_own_path_works_without_a_prefix(server: RunningServer) -> None:
    result = sdk(server, base_url=server.url).run(PAINT, {"prompt": "a cat", "size": "256*256"}, enable_sync_mode=True)
    assert fetch(result["outputs"][0]).status_code == 200
