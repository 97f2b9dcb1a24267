"""AtlasCloud has no client: `requests`, as its documents show it, against a real server process.

Numbers are those of the conformance list that the dialect was built from.
"""

import base64
import io
import time
from typing import Any

import pytest
import requests
from PIL import Image

from tests.contract.api.conftest import RunningServer
from tests.contract.api.gate import Gate

PAINT = "qwen/qwen-image-2.0/text-to-image"
EDIT = "qwen/qwen-image-2.0/edit"
CAT = {"model": PAINT, "prompt": "a cat", "size": "256*256"}


class Cloud:
    """What scripts write: a base and a key."""

    def __init__(self, server: RunningServer, key: str | None = None) -> None:
        self.base = f"{server.url}/atlas/api/v1/model"
        self.headers = {"Authorization": f"Bearer {key or server.key}"}

    def submit(self, body: dict[str, Any]) -> requests.Response:
        return requests.post(f"{self.base}/generateImage", json=body, headers=self.headers, timeout=60)

    def poll(self, task_id: str) -> requests.Response:
        return requests.get(f"{self.base}/prediction/{task_id}", headers=self.headers, timeout=30)

    def wait(self, task_id: str, shape: str | None = "data") -> dict[str, Any]:
        """The loop of the documents, over either shape of the answer."""
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s:
            answer = self.poll(task_id).json()
            told = answer[shape] if shape else answer
            if told["status"] in ("completed", "failed"):
                return told
            time.sleep(0.1)
        raise AssertionError(task_id)


@pytest.fixture
def cloud(server: RunningServer) -> Cloud:
    return Cloud(server)


def picture(url: str) -> Image.Image:
    return Image.open(io.BytesIO(requests.get(url, timeout=30).content))


def test_1_the_documents_loop(cloud: Cloud) -> None:
    answer = cloud.submit(CAT).json()
    assert (answer["code"], answer["data"]["status"]) == (200, "processing")
    done = cloud.wait(answer["data"]["id"])
    assert picture(done["outputs"][0]).size == (256, 256)


def test_2_3_the_flat_shape_and_the_nested_body(cloud: Cloud) -> None:
    nested = {"model": PAINT, "input": {"prompt": "a cat", "size": "256*256"}}
    answer = cloud.submit(nested).json()
    assert answer["id"] == answer["predictionId"]
    assert picture(cloud.wait(answer["id"], None)["outputs"][0]).size == (256, 256)


def test_4_5_one_call_with_the_picture_inside(cloud: Cloud) -> None:
    data = cloud.submit(CAT | {"enable_sync_mode": True, "enable_base64_output": True}).json()["data"]
    assert data["status"] == "completed"
    text = data["outputs"][0].rpartition(",")[2]
    assert Image.open(io.BytesIO(base64.b64decode(text))).size == (256, 256)
    assert cloud.poll(data["id"]).json()["outputs"] == data["outputs"]


@pytest.mark.parametrize("is_nested", [True, False])
def test_6_an_upload_is_usable(cloud: Cloud, png: bytes, is_nested: bool) -> None:
    files = {"file": ("a.png", png, "image/png")}
    answer = requests.post(f"{cloud.base}/uploadMedia", files=files, headers=cloud.headers, timeout=30).json()
    url = answer["data"]["download_url"] if is_nested else answer["url"]
    body = {"model": EDIT, "prompt": "make it blue", "images": [url], "enable_sync_mode": True}
    assert cloud.submit(body).json()["data"]["status"] == "completed"


def test_7_9_10_what_is_not_there(server: RunningServer, cloud: Cloud) -> None:
    unknown = cloud.submit(CAT | {"model": "nobody/nothing"})
    wrong = Cloud(server, "wrong").submit(CAT)
    gone = cloud.poll("0" * 32)
    for answer, status in ((unknown, 404), (wrong, 401), (gone, 404)):
        assert (answer.status_code, answer.json()["code"]) == (status, status)
        assert answer.json()["msg"]


def test_8_a_task_that_ends_without_a_picture(server: RunningServer, cloud: Cloud, gate: Gate) -> None:
    task_id = cloud.submit(CAT | {"prompt": gate.words}).json()["data"]["id"]
    with server.client() as http:
        http.post(f"/overpaint/v1/tasks/{task_id}/cancel").raise_for_status()
    told = cloud.wait(task_id)
    assert (told["status"], told["error"]) == ("failed", "the task was cancelled")
