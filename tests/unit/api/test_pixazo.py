"""Pixazo's dialect over a service in memory."""

import base64
from typing import Any

import pytest

from overpaint.api.config import ApiConfig
from overpaint.api.dialects.pixazo.convert import to_draft
from overpaint.api.dialects.pixazo.schemas import OperationInput
from overpaint.core.errors import BudgetError
from overpaint.core.request import AdapterRef, OutputSpec
from overpaint.core.sizes import Size
from overpaint.service.draft import Draft
from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio

PAINT = "/pixazo/qwen-image-max/v1/qwen-image-max-request"
LITE = "/pixazo/qwen-image-lite/v1/qwen-image-lite-request"
CONVERSE = "/pixazo/qwen-image/v1/generateMultimodeTextToImageEditRequest"
CAT = {"prompt": "a cat", "image_size": "square"}
PICTURE = base64.b64encode(b"x").decode()


def draft(**fields: Any) -> Draft:
    return to_draft(OperationInput.model_validate({"prompt": "a cat"} | fields), "pixazo/qwen-image-max-edit/x")


async def test_fields_mean_what_they_say() -> None:
    one = draft(
        image_url=PICTURE,
        image_urls=[PICTURE],
        num_inference_steps=4,
        true_cfg_scale=3,
        negative_prompt="blur",
        seed=42,
        num_images=2,
        acceleration="high",
        output_format="JPG",
        image_size="landscape_16_9",
        loras=[{"path": "a/b", "scale": 0.5}],
    )
    assert (len(one.pictures), one.steps, one.true_cfg_scale, one.negative_prompt) == (2, 4, 3, "blur")
    assert (one.seed, one.num_images, one.size) == (42, 2, Size(1024, 576))
    assert (one.acceleration, draft().acceleration) == ("high", "none")
    assert (one.output, one.adapters) == (OutputSpec("jpeg"), (AdapterRef("a/b", 0.5),))


async def test_a_null_is_what_is_left_out() -> None:
    names = set(OperationInput.model_fields) - {"prompt"}
    assert draft(**dict.fromkeys(names)) == draft()
    assert draft(output_format="", image_size="").output == OutputSpec("png")
    assert draft(image_size={}).size == Size(512, 512)
    assert draft(image_urls=PICTURE) == draft(image_urls=[PICTURE])


async def test_guidance_is_read_by_both_names() -> None:
    assert draft(guidance_scale=5).true_cfg_scale == 5
    assert draft(guidance_scale=5).negative_prompt == " "
    assert draft(guidance_scale=5, true_cfg_scale=1).true_cfg_scale == 1
    assert draft(guidance_scale=0).true_cfg_scale == 1
    assert (draft().true_cfg_scale, draft(negative_prompt="").negative_prompt) == (None, None)


async def test_a_call_is_answered_in_both_forms_at_once(world: World) -> None:
    body = (await world.http.post(PAINT, json=CAT | {"num_images": 2})).json()
    assert body["status"] == "COMPLETED"
    assert body["request_id"].startswith("qwen-image-max_")
    assert [image["url"] for image in body["images"]] == body["output"]["media_url"]
    assert (body["images"][0]["width"], body["images"][0]["content_type"]) == (512, "image/png")
    assert (await world.nobody.get(body["images"][1]["url"])).status_code == 200


@pytest.mark.parametrize(("params", "headers"), [({"async": "1"}, {}), ({}, {"Prefer": "respond-async"})])
async def test_a_call_can_be_polled(world: World, params: dict[str, str], headers: dict[str, str]) -> None:
    world.stand_in.step_s = 0.02
    asked = (await world.http.post(PAINT, json=CAT, params=params, headers=headers)).json()
    assert asked["status"] == "QUEUED"
    assert asked["polling_url"] == f"http://testserver/pixazo/v2/requests/status/{asked['request_id']}"
    assert "output" not in asked
    await ended(world, asked["request_id"])
    older = "/pixazo/qwen-image-max/v1"
    answers = [
        await world.http.get(asked["polling_url"]),
        await world.http.post(asked["polling_url"]),
        await world.http.get(f"{older}/result/{asked['request_id']}"),
        await world.http.post(f"{older}/qwen-image-max-request-result", json={"request_id": asked["request_id"]}),
    ]
    assert [answer.json()["status"] for answer in answers] == ["COMPLETED"] * 4
    assert len(answers[0].json()["output"]["media_url"]) == 1


async def caller(world: World) -> Any:
    return await world.stand_in.keys.authenticate(world.http.headers["Authorization"].removeprefix("Bearer "))


async def ended(world: World, request_id: str) -> None:
    task = world.stand_in.stored[request_id.rpartition("_")[2].replace("-", "")]
    await world.stand_in.wait(await caller(world), task, 5)


@pytest.mark.parametrize("api_config", [ApiConfig(sync_timeout_s=0.1)], ids=["short"])
async def test_a_call_that_takes_too_long_is_answered_to_be_polled(world: World) -> None:
    world.stand_in.step_s = 0.2
    answer = await world.http.post(PAINT, json=CAT)
    assert answer.status_code == 200
    assert answer.json()["status"] in ("QUEUED", "PROCESSING")


async def test_failures_are_500_at_once_and_a_state_when_polled(world: World) -> None:
    held = await world.http.post(PAINT, json={"prompt": "please fail"})
    assert (held.status_code, held.json()["error"]) == (500, "the engine said HTTP 500")
    asked = (await world.http.post(PAINT, json={"prompt": "please fail"}, params={"async": "1"})).json()
    await ended(world, asked["request_id"])
    polled = await world.http.get(asked["polling_url"])
    assert polled.status_code == 200
    assert (polled.json()["status"], polled.json()["error"]) == ("FAILED", "the engine said HTTP 500")


async def test_a_conversation_is_answered_by_one(world: World, png: bytes) -> None:
    uri = base64.b64encode(png).decode()
    body = {
        "model": "qwen-image-edit",
        "input": {"messages": [{"role": "user", "content": [{"image": uri}, {"text": "make it blue"}]}]},
        "parameters": {"negative_prompt": "", "watermark": False},
    }
    answer = (await world.http.post(CONVERSE, json=body)).json()
    (part,) = answer["output"]["choices"][0]["message"]["content"]
    assert (await world.nobody.get(part["image"])).status_code == 200
    refused = await world.http.post(CONVERSE, json={"input": {"messages": []}})
    assert (refused.status_code, refused.json()["error"].partition(":")[0]) == (400, "input.messages")


BAD: list[tuple[str, dict[str, Any], str]] = [
    (LITE, {"image_url": "x"}, "prompt: is required"),
    (LITE, {"prompt": "x", "image_url": "###"}, "image_url: '###'"),
    (LITE, {"prompt": "x", "seed": True}, "seed"),
    (LITE, {"prompt": "x", "image_size": "huge"}, "image_size: 'huge' must be {width, height}, or one of square_hd"),
    (LITE, {"prompt": "x", "output_format": "bmp"}, "output_format: 'bmp'"),
    ("/pixazo/qwen-image-layered/v1/qwen-image-layered-request", {"image_url": PICTURE}, "num_layers"),
]


@pytest.mark.parametrize(("path", "body", "text"), BAD)
async def test_bad_input_is_400_in_both_words(world: World, path: str, body: dict[str, Any], text: str) -> None:
    answer = await world.http.post(path, json=body)
    told = answer.json()
    assert (answer.status_code, told["statusCode"]) == (400, 400)
    assert told["error"] == told["message"]
    assert told["error"].startswith(text)
    assert not world.stand_in.stored


async def test_errors_have_pixazos_statuses(world: World) -> None:
    secret = world.http.headers["Authorization"].removeprefix("Bearer ")
    bare = await world.nobody.post(PAINT, json=CAT)
    header = await world.nobody.post(PAINT, json=CAT, headers={"Ocp-Apim-Subscription-Key": secret})
    query = await world.nobody.post(PAINT, json=CAT, params={"subscription-key": secret})
    operation = await world.http.post("/pixazo/qwen-image-max/v1/nothing", json=CAT)
    trainer = "/pixazo/qwen-image-edit-plus-trainer/v1/qwen-image-edit-plus-trainer/generate"
    training = await world.http.post(trainer, json={})
    request = await world.http.get("/pixazo/v2/requests/status/qwen-image-max_nope")
    answers = (bare, header, query, operation, training, request)
    assert [answer.status_code for answer in answers] == [401, 200, 200, 404, 404, 404]
    world.stand_in.broken = BudgetError("this costs $0.02")
    spent = await world.http.post(PAINT, json=CAT)
    assert (spent.status_code, spent.json()["error"]) == (402, "this costs $0.02")


async def test_the_vendors_own_paths_work_and_links_stay_on_them(world: World) -> None:
    key = {"Ocp-Apim-Subscription-Key": world.http.headers["Authorization"].removeprefix("Bearer ")}
    path = PAINT.removeprefix("/pixazo")
    asked = (await world.nobody.post(path, json=CAT, headers=key, params={"async": "1"})).json()
    assert asked["polling_url"].startswith("http://testserver/v2/requests/status/")
    assert (await world.nobody.get(asked["polling_url"], headers=key)).json()["request_id"] == asked["request_id"]


async def test_what_is_submitted_at_pixazos_own_path_is_polled_there(world: World) -> None:
    root = PAINT.removeprefix("/pixazo")
    asked = (await world.http.post(root, json=CAT, params={"async": "1"})).json()
    assert asked["polling_url"] == f"http://testserver/v2/requests/status/{asked['request_id']}"
    await ended(world, asked["request_id"])
    assert (await world.http.get(asked["polling_url"])).json()["status"] == "COMPLETED"
    assert (await world.nobody.get(asked["polling_url"])).status_code == 401
