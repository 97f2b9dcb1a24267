"""fal's npm client 1.10.1, unmodified, run by node against a real server process through its `proxyUrl`."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.api.conftest import RunningServer
from tests.contract.api.gate import Gate
from tests.contract.api.test_wavespeed_npm import NODE, NPM

PAINT, EDIT = "fal-ai/qwen-image", "fal-ai/qwen-image-edit-plus"
CAT = {"prompt": "a cat", "image_size": "square", "num_inference_steps": 8}

pytestmark = pytest.mark.skipif(
    not (NPM / "node_modules").exists(), reason="run: make tests/npm/node_modules/.installed"
)


def node(
    server: RunningServer, action: str, endpoint: str, asked: dict[str, Any], *files: Path, key: str | None = None
) -> Any:
    command = [NODE, NPM / "fal.js", server.url, key or server.key, action, endpoint, json.dumps(asked), *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_12_subscribe_uploads_a_blob_and_edits_it(server: RunningServer, png: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png)
    result = node(server, "subscribe", EDIT, {"prompt": "make it blue", "num_inference_steps": 8}, file)
    assert httpx.get(result["data"]["images"][0]["url"], trust_env=False).status_code == 200
    assert len(result["requestId"]) == 36
    assert result["updates"][-1]["status"] == "COMPLETED"


def test_a_streamed_status_sends_each_line_of_the_log_once(server: RunningServer) -> None:
    """The client adds up what the events hold."""
    result = node(server, "streaming", PAINT, CAT)
    assert {update["status"] for update in result["updates"]} >= {"IN_PROGRESS", "COMPLETED"}
    lines = [line["message"] for line in result["updates"][-1]["logs"]]
    assert len(set(lines)) == len(lines)
    assert "denoise: step 8 of 8" in lines


def test_run_answers_and_tells_the_requests_id(server: RunningServer) -> None:
    result = node(server, "run", PAINT, CAT)
    assert result["data"]["images"][0]["width"] == 512
    assert len(result["requestId"]) == 36


def test_a_stream_ends_with_the_output(server: RunningServer) -> None:
    result = node(server, "stream", PAINT, CAT)
    assert result["events"][0]["type"] == "progress"
    assert result["done"]["images"][0]["width"] == 512


def test_a_cancelled_request_is_completed(server: RunningServer, gate: Gate) -> None:
    status = node(server, "cancel", PAINT, CAT | {"prompt": gate.words})
    assert (status["status"], status["error_type"]) == ("COMPLETED", "client_cancelled")


@pytest.mark.parametrize("action", ["run", "subscribe"])
def test_what_is_wrong_with_an_input_is_a_validation_error(server: RunningServer, action: str) -> None:
    error = node(server, action, PAINT, {"image_size": "square"})["error"]
    assert (error["name"], error["status"]) == ("ValidationError", 422)
    assert error["body"]["detail"][0]["loc"] == ["body", "prompt"]


def test_a_wrong_key_is_an_api_error(server: RunningServer) -> None:
    error = node(server, "run", PAINT, CAT, key="op_wrong")["error"]
    assert (error["name"], error["status"]) == ("ApiError", 401)


@pytest.mark.slow
def test_a_large_file_arrives_in_parts(secure: RunningServer, tmp_path: Path) -> None:
    from tests.contract.api.test_fal_python import noise

    file = noise(tmp_path)
    url = node(secure, "upload", EDIT, {}, file)
    assert httpx.get(url, timeout=60).content == file.read_bytes()


@pytest.mark.parametrize("target", [None, "https://example.com/x", "https://fal.run.example.com/", "http://["])
def test_the_proxy_leads_nowhere_else(server: RunningServer, target: str | None) -> None:
    with server.client() as http:
        answer = http.post("/api/fal/proxy", json=CAT, headers={"x-fal-target-url": target} if target else {})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "x-fal-target-url"]


def test_a_page_of_another_origin_may_call_the_proxy_and_upload_by_a_link(server: RunningServer, png: bytes) -> None:
    page = {"Origin": "https://shop.example"}
    asks = page | {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-fal-target-url"}
    target = {"x-fal-target-url": "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3"}
    with server.client() as http:
        assert http.options("/api/fal/proxy", headers=asks).headers["access-control-allow-origin"] == "*"
        answer = http.post("/api/fal/proxy", json={"file_name": "a.png"}, headers=page | target)
        assert answer.headers["access-control-allow-origin"] == "*"
        upload_url = answer.json()["upload_url"]
        assert http.options(upload_url, headers=asks).headers["access-control-allow-methods"] == "GET, HEAD, PUT"
        assert http.put(upload_url, content=png, headers=page).headers["access-control-allow-origin"] == "*"
        wrong = http.post("/api/fal/proxy", json={}, headers=page | target | {"Authorization": "Key op_wrong"})
        assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (401, "*")
