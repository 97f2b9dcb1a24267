"""What a newcomer gets wrong with the native API is told by its name; and what one needs besides the tasks is there."""

import json
from typing import Any

import pytest

from overpaint.api.native.schemas import OutputIn, TaskIn
from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio
ROOT = "/overpaint/v1"
CURL_D = {"Content-Type": "application/x-www-form-urlencoded"}
"""What `curl -d` says where nobody says another."""


@pytest.mark.parametrize("path", [f"{ROOT}/tasks", "/openai/v1/images/generations", "/openai/v1/images/edits"])
async def test_json_that_says_to_be_a_form_is_told_so(world: World, path: str) -> None:
    """Not that its prompt is missing, which it is not."""
    answer = await world.http.post(path, content=json.dumps({"prompt": "a=b & c"}), headers=CURL_D)
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.text
    assert (await world.http.post(f"{ROOT}/tasks", data={"prompt": "{a cat}"})).status_code == 201


async def test_so_is_json_for_a_call_that_takes_no_form(world: World) -> None:
    answer = await world.admin.post(f"{ROOT}/keys", content=b'{"name": "shop"}', headers=CURL_D)
    assert (answer.status_code, "Content-Type: application/json" in answer.text) == (400, True)
    answer = await world.admin.post(f"{ROOT}/keys", json=["shop"])
    assert "must be an object" in answer.json()["error"]["message"]


async def test_an_adapter_of_a_form_that_is_no_json_is_told_by_its_field(world: World) -> None:
    form = {"prompt": "a cat", "adapters": ['{"source": "a"}', "style"]}
    error = (await world.http.post(f"{ROOT}/tasks", data=form)).json()["error"]
    assert (error["field"], error["value"]) == ("adapters[1]", "style")


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "tasks", "wait"),
        ("GET", "tasks", "status"),
        ("GET", "usage", "from"),
        ("GET", "models", "limit"),
        ("DELETE", "tasks/0", "force"),
    ],
)
async def test_a_query_that_no_call_has_does_not_go_unnoticed(world: World, method: str, path: str, name: str) -> None:
    answer = await world.http.request(method, f"{ROOT}/{path}", params={name: "1"}, json={"prompt": "a cat"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, name)
    assert not world.stand_in.stored


async def test_every_parameter_of_the_document_is_taken(world: World) -> None:
    values: dict[str, Any] = {"wait_s": 1, "state": "failed", "limit": 1, "format": "csv", "key_id": "x"}
    moments = dict.fromkeys(("created_after", "created_before", "since", "until"), "2026-11-01")
    asked = values | moments | {"model": "qwen-image-2.0"}
    document = (await world.nobody.get("/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            names = [said["name"] for said in call.get("parameters", []) if said["in"] == "query"]
            if not path.startswith(ROOT) or not names:
                continue
            params = {name: asked[name] for name in names if name in asked}
            answer = await world.http.request(method, path, params=params, json={"prompt": "a cat"})
            assert answer.is_success, answer.text


async def test_the_document_has_every_field_of_a_form(world: World) -> None:
    document = (await world.nobody.get("/openapi.json")).json()
    content = document["paths"][f"{ROOT}/tasks"]["post"]["requestBody"]["content"]
    fields = set(content["multipart/form-data"]["schema"]["properties"])
    assert fields == set(TaskIn.model_fields) - {"output"} | set(OutputIn.model_fields)


async def test_every_key_can_read_what_its_webhooks_are_signed_with(world: World) -> None:
    """Also one of the command line, which prints the key alone."""
    made = (await world.admin.post(f"{ROOT}/keys", json={"name": "shop"})).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    read = (await world.nobody.get(f"{ROOT}/webhook-secret", headers=headers)).json()
    assert read == {"webhook_secret": made["webhook_secret"]}
    assert (await world.nobody.get(f"{ROOT}/webhook-secret")).status_code == 401
