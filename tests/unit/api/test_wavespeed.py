"""WaveSpeed's dialect over a service in memory."""

import asyncio
import base64
import re
from typing import Any

import httpx
import pytest

from overpaint.api.config import ApiConfig
from overpaint.api.dialects.wavespeed.errors import error_text
from overpaint.core.account import KeyLimits
from overpaint.core.task import TaskFailure
from tests.unit.api.conftest import World
from tests.unit.api.stand_in import out_of_reach

pytestmark = pytest.mark.anyio

ROOT = "/wavespeed/api/v3"
EDIT = f"{ROOT}/wavespeed-ai/qwen-image-2.0/edit"
PAINT = f"{ROOT}/wavespeed-ai/qwen-image-2.0/text-to-image"


def uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def b64(png: bytes) -> str:
    return base64.b64encode(png).decode()


async def completed(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for _ in range(200):
        data = (await http.get(url)).json()["data"]
        if data["status"] in ("completed", "failed"):
            return data
        await asyncio.sleep(0.01)
    raise AssertionError(data)


async def test_a_submission_is_answered_with_the_documented_envelope(world: World, png: bytes) -> None:
    answer = await world.http.post(EDIT, json={"images": [b64(png)], "prompt": "make it blue", "seed": -1})
    body = answer.json()
    assert answer.status_code == 200
    assert (body["code"], body["message"]) == (200, "success")
    data = body["data"]
    assert data["status"] == "created"
    assert (data["outputs"], data["has_nsfw_contents"], data["error"]) == ([], [], "")
    assert data["model"] == "wavespeed-ai/qwen-image-2.0/edit"
    assert data["timings"] == {"inference": 0}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", data["created_at"])
    assert data["urls"]["get"] == f"http://testserver{ROOT}/predictions/{data['id']}/result"


async def test_the_result_has_links_that_need_no_key_and_whole_milliseconds(world: World) -> None:
    data = (await world.http.post(PAINT, json={"prompt": "a cat", "size": "128*96"})).json()["data"]
    done = await completed(world.http, data["urls"]["get"])
    assert done["status"] == "completed"
    assert isinstance(done["timings"]["inference"], int)
    assert done["timings"]["inference"] == done["executionTime"] == 400
    assert done["has_nsfw_contents"] == [False]
    picture = await world.nobody.get(done["outputs"][0])
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/png"


async def test_both_forms_of_the_result_path_say_the_same(world: World) -> None:
    task_id = (await world.http.post(PAINT, json={"prompt": "a cat"})).json()["data"]["id"]
    await completed(world.http, f"{ROOT}/predictions/{task_id}")
    long = (await world.http.get(f"{ROOT}/predictions/{task_id}/result")).json()
    short = (await world.http.get(f"{ROOT}/predictions/{task_id}")).json()
    assert long["data"]["id"] == short["data"]["id"]


@pytest.mark.parametrize("base", ["", "/wavespeed"])
async def test_the_vendors_own_path_works_and_links_stay_on_it(world: World, base: str) -> None:
    answer = await world.http.post(f"{base}/api/v3/wavespeed-ai/qwen-image-2.0/text-to-image", json={"prompt": "a cat"})
    assert answer.json()["data"]["urls"]["get"].startswith(f"http://testserver{base}/api/v3/predictions/")


async def test_the_vendors_host_name_reaches_the_dialect(world: World) -> None:
    answer = await world.http.get("/api/v3/balance", headers={"Host": "api.wavespeed.ai"})
    assert answer.json()["code"] == 200
    missing = await world.http.get("/nowhere", headers={"Host": "api.wavespeed.ai"})
    assert missing.json()["code"] == 404


async def test_sync_mode_answers_once_with_the_completed_prediction(world: World) -> None:
    data = (await world.http.post(PAINT, json={"prompt": "a cat", "enable_sync_mode": True})).json()["data"]
    assert data["status"] == "completed"
    assert len(data["outputs"]) == 1


@pytest.mark.parametrize("api_config", [ApiConfig(sync_timeout_s=0.1)], ids=["short"])
async def test_sync_mode_that_runs_out_of_time_says_so_and_the_task_goes_on(world: World) -> None:
    world.stand_in.step_s = 0.2
    answer = await world.http.post(PAINT, json={"prompt": "a cat", "enable_sync_mode": True})
    data = answer.json()["data"]
    assert answer.status_code == 200
    assert (data["status"], data["code"]) == ("processing", 5004)
    assert "Sync mode timed out" in data["error"]
    assert (await completed(world.http, data["urls"]["get"]))["status"] == "completed"


async def test_base64_output_is_remembered_by_later_polls(world: World) -> None:
    data = (await world.http.post(PAINT, json={"prompt": "a cat", "enable_base64_output": True})).json()["data"]
    done = await completed(world.http, data["urls"]["get"])
    prefix, _, text = done["outputs"][0].partition(",")
    assert prefix == "data:image/png;base64"
    assert base64.b64decode(text).startswith(b"\x89PNG")


async def test_a_failed_task_is_no_http_error_and_does_not_read_like_one(world: World) -> None:
    """The clients submit again whatever has `HTTP 5` in its text, when they are told to retry."""
    data = (await world.http.post(PAINT, json={"prompt": "please fail", "enable_sync_mode": True})).json()["data"]
    assert (data["status"], data["outputs"], data["code"]) == ("failed", [], 1403)
    assert data["error"] == "the engine said status 500"
    said = error_text(TaskFailure("backend", "Connection lost after a Timeout, Http 503"))
    assert not any(word in said.lower() for word in ("http 5", "timeout", "connection"))


async def test_a_null_where_a_flag_is_meant_is_none(world: World) -> None:
    body = {"prompt": "a cat", "enable_sync_mode": None, "enable_base64_output": None}
    data = (await world.http.post(PAINT, json=body)).json()["data"]
    assert data["status"] == "created"
    done = await completed(world.http, data["urls"]["get"])
    assert done["outputs"][0].startswith("http://")


async def test_an_empty_webhook_is_none(world: World) -> None:
    answer = await world.http.post(PAINT, json={"prompt": "a cat", "webhook_url": ""})
    assert answer.status_code == 200


async def test_a_ticket_takes_a_file_without_a_key_and_its_url_is_a_picture(world: World, png: bytes) -> None:
    ticket = (await world.http.post(f"{ROOT}/media/uploads", json={"filename": "a.png", "size": len(png)})).json()
    upload = ticket["data"]["upload"]
    assert upload["method"] == "PUT"
    put = await world.nobody.put(upload["url"], content=png, headers=upload["headers"])
    assert put.status_code == 200
    assert (await world.nobody.get(ticket["data"]["download_url"])).content == png
    answer = await world.http.post(EDIT, json={"images": [ticket["data"]["download_url"]], "prompt": "make it blue"})
    assert answer.status_code == 200


@pytest.mark.parametrize(("path", "name"), [("/media/upload/binary", "download_url"), ("/upload", "url")])
async def test_the_older_uploads_work(world: World, png: bytes, path: str, name: str) -> None:
    answer = await world.http.post(ROOT + path, files={"file": ("a.png", png, "image/png")})
    assert answer.status_code == 200
    assert (await world.nobody.get(answer.json()["data"][name])).content == png


async def test_an_upload_that_is_too_large_is_413(world: World) -> None:
    answer = await world.http.post(f"{ROOT}/media/uploads", json={"filename": "a.png", "size": 10**12})
    assert answer.status_code == 413
    assert answer.json()["code"] == 413


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({}, 1400, "prompt"),
    ({"prompt": "x"}, 1400, "images"),
    ({"prompt": "x", "images": []}, 1400, "images"),
    ({"prompt": 5}, 1401, "prompt"),
    ({"prompt": "x", "images": [5]}, 1401, "images[0]"),
    ({"prompt": "x", "images": ["PNG", "###"]}, 1401, "images[1]"),
    ({"prompt": "x", "images": "PNG", "seed": "many"}, 1401, "seed"),
    ({"prompt": "x", "images": "PNG", "seed": True}, 1401, "seed"),
    ({"prompt": "x", "images": "PNG", "seed": -2}, 1401, "seed"),
    ({"prompt": "x", "images": "PNG", "seed": 2**31}, 1401, "seed"),
    ({"prompt": "x", "images": "PNG", "size": "big"}, 1401, "size"),
    ({"prompt": "x", "images": "PNG", "width": 512}, 1400, "height"),
    ({"prompt": "x", "images": "PNG", "output_format": "bmp"}, 1401, "output_format"),
    ({"prompt": "x", "images": "PNG", "loras": [{"scale": 1}]}, 1400, "loras[0].path"),
    ({"prompt": "x", "images": "PNG", "loras": [{"path": "a/b", "scale": 9}]}, 1401, "loras"),
    ({"prompt": "x", "images": "PNG", "enable_sync_mode": "perhaps"}, 1401, "enable_sync_mode"),
]


@pytest.mark.parametrize(("body", "code", "field"), BAD)
@pytest.mark.parametrize("is_sync", [False, True])
async def test_bad_input_is_named_the_same_way_in_both_modes_and_leaves_nothing(
    world: World, png: bytes, body: dict[str, Any], code: int, field: str, is_sync: bool
) -> None:
    text = b64(png)
    sent: dict[str, Any] = {"enable_sync_mode": True, **body} if is_sync else dict(body)
    if sent.get("images") == "PNG":
        sent["images"] = [text]
    elif isinstance(sent.get("images"), list):
        sent["images"] = [text if item == "PNG" else item for item in sent["images"]]
    answer = await world.http.post(EDIT, json=sent)
    assert answer.status_code == 400
    refusal = answer.json()
    assert refusal["code"] == 400
    assert refusal["data"]["code"] == code
    assert refusal["message"].startswith(field)
    assert not world.stand_in.stored


async def test_who_has_no_key_or_a_wrong_one_is_401(world: World) -> None:
    bare = await world.nobody.post(PAINT, json={"prompt": "a cat"})
    wrong = await world.nobody.post(PAINT, json={"prompt": "a cat"}, headers={"Authorization": "Bearer op_no"})
    other = await world.nobody.post(PAINT, json={"prompt": "a cat"}, headers={"X-API-Key": "op_no"})
    assert [answer.status_code for answer in (bare, wrong, other)] == [401, 401, 401]
    assert bare.json()["code"] == 401


async def test_what_is_not_there_is_404(world: World) -> None:
    model = await world.http.post(f"{ROOT}/nobody/nothing", json={"prompt": "a cat"})
    prediction = await world.http.get(f"{ROOT}/predictions/{'0' * 32}/result")
    assert [model.status_code, prediction.status_code] == [404, 404]


async def test_a_strangers_prediction_is_404(world: World) -> None:
    task_id = (await world.http.post(PAINT, json={"prompt": "a cat"})).json()["data"]["id"]
    assert (await world.stranger.get(f"{ROOT}/predictions/{task_id}/result")).status_code == 404


async def test_a_service_that_cannot_accept_says_503_in_the_envelope(world: World) -> None:
    world.stand_in.broken = out_of_reach()
    answer = await world.http.post(PAINT, json={"prompt": "a cat"})
    assert (answer.status_code, answer.json()["code"]) == (503, 503)
    assert answer.headers["retry-after"]


async def test_a_bug_is_500_in_the_envelope_and_tells_nothing(world: World) -> None:
    world.stand_in.broken = ValueError("the secret of the database")
    answer = await world.http.post(PAINT, json={"prompt": "a cat"})
    assert (answer.status_code, answer.json()["code"]) == (500, 500)
    assert "secret" not in answer.text


async def test_limits_are_published_and_what_exceeds_them_is_429(world: World) -> None:
    await world.stand_in.keys.set_limits("mine", KeyLimits(requests_per_minute=2))
    answers = [await world.http.post(PAINT, json={"prompt": "a cat"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-limit"] == "2"
    assert answers[0].headers["ratelimit-remaining"] == "1"
    assert int(answers[2].headers["retry-after"]) > 0


async def test_predictions_are_listed_in_pages_and_by_model(world: World) -> None:
    for number in range(5):
        await world.http.post(PAINT, json={"prompt": f"cat {number}", "enable_sync_mode": True})
    first = (await world.http.post(f"{ROOT}/predictions", json={"page": 1, "page_size": 2})).json()["data"]
    third = (await world.http.get(f"{ROOT}/predictions", params={"page": 3, "page_size": 2})).json()["data"]
    other = (await world.http.post(f"{ROOT}/predictions", json={"model": "else"})).json()["data"]
    assert (first["page"], first["total"], len(first["items"]), len(third["items"])) == (1, 5, 2, 1)
    assert first["items"][0]["input"]["prompt"] == "cat 4"
    assert (other["total"], other["items"]) == (0, [])


async def test_a_finished_prediction_can_be_forgotten_in_both_ways(world: World) -> None:
    ids = [
        (await world.http.post(PAINT, json={"prompt": "a cat", "enable_sync_mode": True})).json()["data"]["id"]
        for _ in range(2)
    ]
    assert (await world.http.delete(f"{ROOT}/predictions/{ids[0]}")).status_code == 200
    assert (await world.http.post(f"{ROOT}/predictions/delete", json={"ids": ids[1:]})).status_code == 200
    assert not world.stand_in.stored


async def test_balance_is_what_is_left_of_the_budget(world: World) -> None:
    assert (await world.http.get(f"{ROOT}/balance")).json()["data"]["balance"] > 1000
    await world.stand_in.keys.set_limits("mine", KeyLimits(monthly_budget_microusd=1_000_000))
    await world.http.post(PAINT, json={"prompt": "a cat", "enable_sync_mode": True})
    assert (await world.http.get(f"{ROOT}/balance")).json()["data"] == {"balance": 0.98}
    bills = (await world.http.post(f"{ROOT}/billings/search", json={})).json()["data"]
    assert (bills["total"], bills["items"][0]["price"]) == (1, 0.02)


async def test_models_are_listed_by_their_paths(world: World) -> None:
    names = {item["model_id"] for item in (await world.http.get(f"{ROOT}/models")).json()["data"]}
    assert "wavespeed-ai/qwen-image-2.0/edit" in names


async def test_a_webhook_asked_for_in_either_place_is_kept(world: World) -> None:
    await world.http.post(f"{PAINT}?webhook=https://example.com/a", json={"prompt": "a cat"})
    await world.http.post(PAINT, json={"prompt": "a cat", "webhook_url": "https://example.com/b"})
    assert [task.webhook_url for task in world.stand_in.stored.values()] == [
        "https://example.com/a",
        "https://example.com/b",
    ]
