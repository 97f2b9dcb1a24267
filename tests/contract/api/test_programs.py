"""What programs send that many people use, as plain HTTP: recorded from their sources, or from running them.

The vendors' own clients have files of their own; these are programs that speak to a vendor in their own way.
"""

import io
import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.contract.api.conftest import RunningServer
from tests.contract.api.test_wavespeed_python import data_uri

MODEL = "/replicate/v1/models/qwen"
VERSION = {"api-version": "2025-04-01-preview"}


@pytest.fixture
def http(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def bearer(server: RunningServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.key}"}


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def wait_for(http: httpx.Client, url: str, headers: dict[str, str], *path: str) -> dict[str, Any]:
    """Poll until the status, at `path` in the answer, is one of an ending."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        told = whole = ok(http.get(url, headers=headers))
        for step in path:
            told = told[step]
        if told in ("completed", "SUCCEEDED", "failed", "FAILED"):
            return whole
        time.sleep(0.05)
    raise AssertionError(url)


def size_at(url: str) -> tuple[int, int]:
    data = httpx.get(url, timeout=60, trust_env=False).raise_for_status().content
    return Image.open(io.BytesIO(data)).size


def test_vercels_ai_sdk_sends_every_model_of_replicate_a_number_of_pictures(
    http: httpx.Client, bearer: dict[str, str], png: bytes
) -> None:
    """`@ai-sdk/replicate` 2.0.57: `num_outputs` always, `size`, `mask` and `image_2` where they are given."""
    asked = {"prompt": "a cat", "size": "1024x1024", "seed": 3, "num_outputs": 1}
    painted = ok(
        http.post(f"{MODEL}/qwen-image/predictions", json={"input": asked}, headers=bearer | {"prefer": "wait"})
    )
    assert (painted["status"], len(painted["output"])) == ("succeeded", 1)
    edit = {"prompt": "blue", "num_outputs": 1, "image": data_uri(png), "mask": data_uri(png)}
    edited = ok(
        http.post(f"{MODEL}/qwen-image-edit/predictions", json={"input": edit}, headers=bearer | {"prefer": "wait=30"})
    )
    assert edited["status"] == "succeeded"
    assert "Ignored mask: it is no input of qwen/qwen-image-edit" in edited["logs"]


def test_a_misspelt_body_is_refused_by_replicate_and_a_misspelt_input_is_not(
    http: httpx.Client, bearer: dict[str, str]
) -> None:
    """https://replicate.com/changelog/2024-05-01-improved-validation-for-api-prediction-payloads"""
    refused = http.post(f"{MODEL}/qwen-image/predictions", json={"inptu": {"prompt": "a cat"}}, headers=bearer)
    said = {
        "type": "additional_property_not_allowed",
        "field": "",
        "description": "Additional property inptu is not allowed",
    }
    assert (refused.status_code, refused.json()["invalid_fields"]) == (422, [said])
    ok(http.post(f"{MODEL}/qwen-image/predictions", json={"input": {"prompt": "a cat", "sede": 1}}, headers=bearer))


def test_libre_chat_edits_at_a_deployment_of_azure(http: httpx.Client, server: RunningServer, png: bytes) -> None:
    """`IMAGE_GEN_OAI_BASEURL` with `IMAGE_GEN_OAI_AZURE_API_VERSION`: the key comes as `api-key` alone."""
    answer = ok(
        http.post(
            "/openai/deployments/gpt-image-1/images/edits",
            params=VERSION,
            headers={"api-key": server.key},
            data={"model": "gpt-image-1", "prompt": "blue", "quality": "auto", "size": "auto"},
            files=[("image[]", ("a.png", png, "image/png")), ("image[]", ("b.png", png, "image/png"))],
        )
    )
    assert answer["data"][0]["b64_json"]


def test_difys_dall_e_tool_has_seeds_of_letters(http: httpx.Client, server: RunningServer) -> None:
    """`tools/azuredalle`: eight letters and digits, sent again for a picture of the same series."""
    asked = {
        "prompt": "a cat",
        "model": "dall-e-3",
        "size": "1024x1024",
        "n": 1,
        "style": "vivid",
        "quality": "standard",
        "response_format": "b64_json",
        "seed": "aB3dE9xZ",
    }
    path, headers = "/openai/deployments/dall-e-3/images/generations", {"api-key": server.key}
    first, second = (ok(http.post(path, params=VERSION, json=asked, headers=headers)) for _ in range(2))
    assert first["data"][0]["b64_json"] == second["data"][0]["b64_json"]


def test_open_webui_edits_with_an_api_version_and_fetches_links_with_its_key(
    http: httpx.Client, bearer: dict[str, str], png: bytes
) -> None:
    answer = ok(
        http.post(
            "/openai/v1/images/edits?api-version=preview",
            headers=bearer | {"X-OpenWebUI-User-Name": "Ann"},
            data={"model": "dall-e-2", "prompt": "blue", "n": "1", "size": "512x512"},
            files={"image": ("image.png", png, "image/png")},
        )
    )
    fetched = httpx.get(answer["data"][0]["url"], headers=bearer, trust_env=False)
    assert fetched.headers["content-type"] == "image/png"


def test_lobe_chat_polls_dashscope_by_the_tasks_id(http: httpx.Client, bearer: dict[str, str]) -> None:
    asked = {"model": "qwen-image", "input": {"prompt": "a cat"}, "parameters": {"n": 1, "size": "1328*1328"}}
    made = ok(
        http.post(
            "/api/v1/services/aigc/text2image/image-synthesis",
            json=asked,
            headers=bearer | {"X-DashScope-Async": "enable"},
        )
    )
    done = wait_for(http, f"/api/v1/tasks/{made['output']['task_id']}", bearer, "output", "task_status")
    assert size_at(done["output"]["results"][0]["url"]) == (1328, 1328)


def test_a_number_of_pictures_that_can_be_one_only_is_told_so(http: httpx.Client, bearer: dict[str, str]) -> None:
    asked = {"model": "qwen-image", "input": {"prompt": "a cat"}, "parameters": {"n": 2}}
    path = "/dashscope/api/v1/services/aigc/text2image/image-synthesis"
    refused = http.post(path, json=asked, headers=bearer | {"X-DashScope-Async": "enable"})
    assert (refused.status_code, refused.json()["message"]) == (400, "n: 2 must be 1")


def test_atlas_clouds_n8n_node_finds_its_models_and_their_fields(http: httpx.Client, bearer: dict[str, str]) -> None:
    """It lists models by category without a key, makes a form of the schema, and sends what was filled in as text."""
    models = ok(http.get("/atlas/api/v1/models"))
    assert str(models["code"]) == "200"
    chosen = next(model for model in models["data"] if model["uuid"] == "qwen/qwen-image-2.0/text-to-image")
    assert (chosen["type"], chosen["categories"]) == ("Image", ["text-to-image"])
    fields = ok(http.get(chosen["schema"]))["components"]["schemas"]["Input"]
    kinds = {name: field["type"] for name, field in fields["properties"].items()}
    assert (kinds["seed"], kinds["images"], kinds["enable_sync_mode"]) == ("integer", "array", "boolean")
    assert "prompt" in fields["required"]
    asked = {"model": chosen["model"], "prompt": "a cat", "size": "256*256", "seed": 3}
    made = ok(http.post("/atlas/api/v1/model/generateImage", json=asked, headers=bearer | {"X-Atlas-Client": "n8n"}))
    done = wait_for(http, f"/atlas/api/v1/model/prediction/{made['data']['id']}", bearer, "data", "status")
    assert size_at(done["data"]["outputs"][0]) == (256, 256)


def test_wave_speeds_n8n_node_reads_its_envelope(http: httpx.Client, bearer: dict[str, str]) -> None:
    assert ok(http.get("/api/v3/balance", headers=bearer))["code"] == 200
    made = ok(http.post("/api/v3/wavespeed-ai/qwen-image-2.0/text-to-image", json={"prompt": "a cat"}, headers=bearer))
    done = wait_for(http, f"/api/v3/predictions/{made['data']['id']}/result", bearer, "data", "status")
    assert done["data"]["outputs"]


def test_a_lost_path_below_a_catch_all_is_no_redirect(http: httpx.Client, server: RunningServer) -> None:
    """LiteLLM posts to its `api_base` itself for models it has no path for; a redirect led back to itself for ever."""
    for path in ("/fal/run", "/fal/run/", "/fal/queue"):
        answer = http.post(path, json={"prompt": "a cat"}, headers={"Authorization": f"Key {server.key}"})
        assert (answer.status_code, "detail" in answer.json()) == (404, True)


def test_openais_answers_have_no_keys_without_values(http: httpx.Client, bearer: dict[str, str]) -> None:
    """Programs ask `"b64_json" in item`, and schemas that allow a key to be missing do not allow a null."""
    asked = {"prompt": "a cat", "size": "64x64"}
    for response_format in ("b64_json", "url"):
        body = asked | {"response_format": response_format}
        answer = ok(http.post("/openai/v1/images/generations", json=body, headers=bearer))
        assert ([*answer["data"][0]], None in answer.values()) == ([response_format], False)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/responses",
        "/v1/chat/completions",
        "/openai/v1/responses",
        "/openai/deployments/gpt-image-1/chat/completions",
    ],
)
def test_a_program_that_asks_for_words_is_told_where_pictures_are(http: httpx.Client, path: str) -> None:
    """LangChain's `ChatOpenAI`, OpenAI's agents and Pydantic AI's: "model not found", they say of a bare 404."""
    answer = http.post(path, json={"model": "gpt-image-1", "input": "draw a cat"})
    assert answer.status_code == 404
    assert "/v1/images/generations" in answer.json()["error"]["message"]


def test_azures_client_with_the_base_of_its_v1(http: httpx.Client, server: RunningServer, png: bytes) -> None:
    """`AzureOpenAI(base_url=".../openai/v1")`, and the AI SDK's with `useDeploymentBasedUrls`, add `deployments`."""
    path, headers = "/openai/v1/deployments/gpt-image-1/images", {"api-key": server.key}
    ok(http.post(f"{path}/generations", params=VERSION, json={"prompt": "a cat", "size": "64x64"}, headers=headers))
    files = {"image": ("a.png", png, "image/png")}
    ok(http.post(f"{path}/edits", params=VERSION, data={"prompt": "blue"}, files=files, headers=headers))


def test_javas_client_offers_http_2_with_its_first_request(server: RunningServer, bearer: dict[str, str]) -> None:
    """`java.net.http.HttpClient`, below LangChain4j and Spring AI; and `curl --http2`. Its body was lost."""
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAAB"}
    connection = HTTPConnection(server.url.partition("://")[2], timeout=60)
    body = json.dumps({"prompt": "a cat", "size": "64x64"})
    for headers in (offer, {}):  # the connection goes on
        kind = {"Content-Type": "application/json"}
        connection.request("POST", "/openai/v1/images/generations", body, bearer | kind | headers)
        with connection.getresponse() as answer:
            assert (answer.status, "data" in json.load(answer)) == (200, True)
    connection.close()


@pytest.mark.parametrize("field", ["image", "mask", "mask_image"])
def test_a_file_that_is_no_picture_is_told_by_its_field(
    http: httpx.Client, bearer: dict[str, str], png: bytes, field: str
) -> None:
    files = {"image": ("a.png", png, "image/png")} | {field: ("b.png", b"no picture", "image/png")}
    refused = http.post("/openai/v1/images/edits", data={"prompt": "blue"}, files=files, headers=bearer)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, field)
