"""Segmind's Python client 1.3.0, unmodified, and its guide's sample, against a real server process.

Numbers are those of the conformance list that the dialect was built from.
"""

import base64
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from segmind import SegmindClient, SegmindError
from segmind.files import Files
from segmind.v2 import InferenceFailed, InferenceTimeout

from tests.contract.api.conftest import RunningServer
from tests.contract.api.gate import Gate

CAT = {"prompt": "a cat", "steps": 4}

GUIDE = """
import requests
url = "{host}/v1/qwen-image-edit"
headers = {{"x-api-key": "{key}"}}
payload = {{
"image": "{image}",
"prompt": "Change the background to a white studio setting",
"negative_prompt": "blurry, low quality",
"num_inference_steps": 30,
"guidance_scale": 7.5
}}
response = requests.post(url, json=payload, headers=headers)
with open("output.png", "wb") as f:
    f.write(response.content)
"""
"""The sample of the developer guide; `host`, `key` and `image` are its placeholders."""


Sdk = Callable[..., SegmindClient]


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """Makes clients; they have no way to be closed of their own."""
    made: list[SegmindClient] = []

    def make(server: RunningServer, key: str | None = None) -> SegmindClient:
        made.append(SegmindClient(api_key=key or server.key, base_url=f"{server.url}/segmind/v1", timeout=60))
        return made[-1]

    yield make
    for client in made:
        client._client.close()


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def fetch(url: str) -> bytes:
    return httpx.get(url, trust_env=False).raise_for_status().content


def test_1_run_sync_gives_the_picture_and_the_credits(server: RunningServer, sdk: Sdk, png: bytes) -> None:
    answer = sdk(server).run_sync("qwen-image-edit", image=data_uri(png), prompt="make it blue", steps=4)
    assert answer.status_code == 200
    assert picture(answer.content).format == "PNG"
    assert float(answer.headers["x-remaining-credits"]) > 0
    assert float(answer.headers["x-generation-time"]) > 0


def test_2_run_waits_and_gives_a_link_and_the_time(server: RunningServer, sdk: Sdk) -> None:
    result = sdk(server).run("qwen-image", prompt="a cat", steps=8)
    assert result["status"] == "COMPLETED"
    assert picture(fetch(result["output"])).format == "PNG"
    assert result["metrics"]["inference_time"] > 0


def test_3_submit_returns_at_once_and_only_the_result_has_the_output(
    server: RunningServer, sdk: Sdk, gate: Gate
) -> None:
    client = sdk(server)
    job = client.submit_async("qwen-image", prompt=gate.words)
    status = job.status()
    assert status["status"] in ("QUEUED", "PROCESSING")
    assert "output" not in status
    gate.open()
    assert job.wait(interval=0.1)["output"]
    assert job.result()["output"]
    assert "output" not in job.status()


def test_4_a_request_that_ends_without_a_picture_is_raised_and_is_422(
    server: RunningServer, sdk: Sdk, gate: Gate
) -> None:
    client = sdk(server)
    job = client.submit_async("qwen-image", prompt=gate.words)
    with server.client() as http:
        http.post(f"/overpaint/v1/tasks/{job.request_id.replace('-', '')}/cancel").raise_for_status()
        assert http.get(job.status_url).status_code == 422
    with pytest.raises(InferenceFailed) as raised:
        job.wait(interval=0.1)
    assert raised.value.detail == "the task was cancelled"


def test_5_a_wait_that_is_too_short_can_be_taken_up_again(server: RunningServer, sdk: Sdk, gate: Gate) -> None:
    job = sdk(server).submit_async("qwen-image", prompt=gate.words)
    with pytest.raises(InferenceTimeout):
        job.wait(timeout=0.5, interval=0.1)
    gate.open()
    assert job.wait(interval=0.2)["status"] == "COMPLETED"
    assert job.status()["status"] == "COMPLETED"


def test_6_keys_slugs_and_credits_have_their_statuses(server: RunningServer, sdk: Sdk) -> None:
    poor = server.new_key(monthly_budget_usd=0.001)
    nobody = sdk(server)
    del nobody._client.headers["x-api-key"]
    calls: list[tuple[Callable[[], Any], int]] = [
        (lambda: sdk(server, "SG_0123456789abcdef").run("qwen-image", **CAT), 401),
        (lambda: nobody.run_sync("qwen-image", **CAT), 401),
        (lambda: sdk(server).run_sync("nothing", **CAT), 404),
        (lambda: sdk(server).run("nothing", **CAT), 404),
        (lambda: sdk(server, poor).run_sync("qwen-image", **CAT), 406),
        (lambda: sdk(server, poor).run("qwen-image", **CAT), 406),
    ]
    for call, status in calls:
        with pytest.raises(SegmindError) as raised:
            call()
        assert raised.value.status == status
        assert raised.value.detail


@pytest.mark.parametrize("mount", ["", "/segmind"])
def test_7_the_guides_sample_runs_with_only_the_host_changed(
    server: RunningServer, sdk: Sdk, png: bytes, tmp_path: Path, mount: str
) -> None:
    uploaded = upload(sdk, server, png, tmp_path)["file_urls"][0]
    code = GUIDE.format(host=server.url + mount, key=server.key, image=uploaded)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)
    assert picture((tmp_path / "output.png").read_bytes()).format == "PNG"


def test_8_base64_in_both_directions(server: RunningServer, sdk: Sdk, png: bytes) -> None:
    for image in (base64.b64encode(png).decode(), data_uri(png)):
        answer = sdk(server).run_sync("qwen-image-edit", image=image, prompt="make it blue", steps=4, base64=True)
        assert picture(base64.b64decode(answer.json()["image"])).format == "PNG"


def test_9_format_and_shape_are_honoured_and_guidance_is_bounded(server: RunningServer, sdk: Sdk) -> None:
    answer = sdk(server).run_sync("qwen-image", **CAT, image_format="webp", aspect_ratio="9:16")
    painted = picture(answer.content)
    assert (painted.format, answer.headers["content-type"]) == ("WEBP", "image/webp")
    assert painted.width / painted.height == pytest.approx(9 / 16, abs=0.03)
    with pytest.raises(SegmindError) as raised:
        sdk(server).run_sync("qwen-image", **CAT, guidance=99)
    assert (raised.value.status, raised.value.detail) == (400, "guidance: 99.0 must be 1 to 25")


def test_10_the_older_poll_url_answers_and_unknown_ids_do_not(server: RunningServer, sdk: Sdk) -> None:
    client = sdk(server)
    job = client.submit_async("qwen-image", **CAT)
    result = job.wait(interval=0.1)
    assert client._request("GET", job.submit_response["poll_url"]).json() == result
    with server.client() as http:
        unknown = "00000000-0000-4000-8000-000000000000"
        assert http.get(f"/segmind/v1/requests/{unknown}").status_code == 404
        http.delete(f"/overpaint/v1/tasks/{job.request_id.replace('-', '')}").raise_for_status()
    with pytest.raises(SegmindError) as raised:
        job.status()
    assert raised.value.status == 404


def upload(sdk: Sdk, server: RunningServer, png: bytes, folder: Path) -> dict[str, Any]:
    file = folder / "a.png"
    file.write_bytes(png)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Files, "STORAGE_BASE_URL", f"{server.url}/segmind")
        return sdk(server).files.upload(file)


def test_11_an_uploaded_file_is_usable(server: RunningServer, sdk: Sdk, png: bytes, tmp_path: Path) -> None:
    (url,) = upload(sdk, server, png, tmp_path)["file_urls"]
    assert fetch(url) == png
    assert sdk(server).run_sync("qwen-image-edit", image=url, prompt="make it blue", steps=4).status_code == 200


def test_12_a_model_field_called_timeout_is_no_timeout(server: RunningServer, sdk: Sdk) -> None:
    assert sdk(server).run("qwen-image", **CAT, timeout=1, interval=5)["status"] == "COMPLETED"
