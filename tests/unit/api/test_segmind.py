"""Segmind's dialect over a service in memory."""

import asyncio
import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from overpaint.api.config import ApiConfig
from overpaint.api.dialects.segmind.convert import to_draft
from overpaint.api.dialects.segmind.schemas import ModelInput
from overpaint.core.account import KeyLimits
from overpaint.core.request import OutputSpec
from overpaint.service.catalogue import ModelEntry
from overpaint.service.draft import Draft
from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio

PAINT = "/segmind/v1/qwen-image"
EDIT = "/segmind/v1/qwen-image-edit"
CAT = {"prompt": "a cat"}
PIXEL = base64.b64encode(b"x").decode()


def entry(slug: str = "qwen-image-edit") -> ModelEntry:
    from tests.unit.api.stand_in import StandIn

    return StandIn().catalogue.find(f"segmind/{slug}")


def draft(slug: str = "qwen-image-edit", **fields: Any) -> Draft:
    return to_draft(ModelInput.model_validate({"prompt": "a cat", "image": PIXEL} | fields), entry(slug))


async def test_both_families_of_names_mean_the_same() -> None:
    old = draft(steps=30, guidance=7.5, negative_prompt="blurry")
    new = draft(num_inference_steps=30, guidance_scale=7.5, negative_prompt="blurry")
    assert old == new
    assert (old.steps, old.true_cfg_scale, old.negative_prompt) == (30, 7.5, "blurry")


async def test_guidance_without_a_negative_prompt_steers_away_from_nothing_in_particular() -> None:
    assert draft(guidance=4).negative_prompt == " "
    assert draft(guidance=1).negative_prompt is None
    assert draft().true_cfg_scale is None


async def test_going_fast_is_asked_for() -> None:
    assert (draft(go_fast=True).acceleration, draft(go_fast=False).acceleration) == ("regular", "none")
    assert draft().acceleration == "none"


async def test_shapes_and_formats_default_as_documented() -> None:
    assert draft("qwen-image", image=None).size == "16:9"
    assert draft("qwen-image", image=None, aspect_ratio="9:16").size == "9:16"
    assert draft().size is None
    assert draft(aspect_ratio="match_input_image").size is None
    assert draft().output == OutputSpec("png", 90)
    assert draft("qwen-image-edit-plus").output == OutputSpec("webp", 90)
    assert draft(image_format="JPG", quality=50).output == OutputSpec("jpeg", 50)


async def test_numbered_pictures_keep_their_order() -> None:
    assert len(draft("qwen-image-edit-plus", image_2=PIXEL, image_3=PIXEL).pictures) == 3
    assert len(draft("qwen-image-edit-plus", image=None, image_1=PIXEL).pictures) == 1


async def test_v1_answers_with_the_bytes_and_the_gateways_headers(world: World) -> None:
    await world.stand_in.keys.set_limits("mine", KeyLimits(requests_per_minute=6, monthly_budget_microusd=10**6))
    answer = await world.http.post(PAINT, json=CAT | {"image_format": "webp"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).format == "WEBP"
    assert float(answer.headers["x-remaining-credits"]) == 0.98
    assert float(answer.headers["x-generation-time"]) == 0.4
    assert answer.headers["x-rate-limit-remaining"] == "5"  # the next comes after ten seconds
    assert "T" in answer.headers["x-rate-limit-reset-at-utc"]


async def test_base64_is_json_with_the_picture(world: World) -> None:
    answer = await world.http.post(PAINT, json=CAT | {"base64": True})
    assert base64.b64decode(answer.json()["image"]).startswith(b"\x89PNG")


async def test_a_null_where_a_flag_is_meant_is_none(world: World) -> None:
    answer = await world.http.post(PAINT, json=CAT | {"base64": None})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_slash_after_the_slug_is_not_redirected(world: World, version: str) -> None:
    """The client follows no redirect, and takes one for the answer."""
    for prefix in ("/segmind", ""):
        headers = {"x-api-key": world.http.headers["authorization"].removeprefix("Bearer ")}
        answer = await world.http.post(f"{prefix}/{version}/qwen-image/", json=CAT, headers=headers)
        assert answer.status_code == 200
    unknown = await world.http.post(f"/segmind/{version}/nothing/of/ours", json=CAT)
    assert unknown.status_code == 404


@pytest.mark.parametrize("api_config", [ApiConfig(sync_timeout_s=0.1)], ids=["short"])
async def test_a_picture_that_is_late_is_504_and_its_retry_gets_it(world: World) -> None:
    world.stand_in.step_s = 0.2
    answer = await world.http.post(PAINT, json=CAT)
    assert answer.status_code == 504
    assert "goes on" in answer.json()["error"]
    assert world.stand_in.unheard == list(world.stand_in.stored)


async def test_v2_is_polled_and_has_its_output_only_in_the_result(world: World) -> None:
    world.stand_in.step_s = 0.02
    job = (await world.http.post("/segmind/v2/qwen-image", json=CAT)).json()
    assert job["status"] == "QUEUED"
    assert job["poll_url"] == f"http://testserver/segmind/v1/requests/{job['request_id']}"
    first = (await world.http.get(job["status_url"])).json()
    assert first["metrics"] == {}
    status = await completed(world.http, job["status_url"])
    assert "output" not in status
    assert status["metrics"]["inference_time"] == 0.4
    for url in (job["response_url"], job["poll_url"]):
        result = (await world.http.get(url)).json()
        assert result["images"] == [{"url": result["output"], "content_type": "image/png"}]
        assert (await world.nobody.get(result["output"])).status_code == 200


async def completed(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    for _ in range(200):
        body = (await http.get(url)).json()
        if body["status"] in ("COMPLETED", "FAILED"):
            return body
        await asyncio.sleep(0.01)
    raise AssertionError(url)


async def test_a_failed_request_is_422_with_its_state(world: World) -> None:
    job = (await world.http.post("/segmind/v2/qwen-image", json={"prompt": "please fail"})).json()
    assert (await completed(world.http, job["status_url"]))["status"] == "FAILED"
    for url in (job["status_url"], job["response_url"]):
        answer = await world.http.get(url)
        assert answer.status_code == 422
        assert answer.json()["error"] == "the engine said HTTP 500"


async def test_a_failed_picture_is_500_in_v1(world: World) -> None:
    answer = await world.http.post(PAINT, json={"prompt": "please fail"})
    assert (answer.status_code, answer.json()) == (500, {"error": "the engine said HTTP 500"})


BAD: list[tuple[dict[str, Any], str]] = [
    ({"image": PIXEL}, "prompt: is required"),
    ({"prompt": "x"}, "image: is required"),
    ({"prompt": "x", "image": "###"}, "image: '###'"),
    ({"prompt": "x", "image": PIXEL, "guidance": 26}, "guidance: 26"),
    ({"prompt": "x", "image": PIXEL, "guidance_scale": 0.5}, "guidance_scale: 0.5"),
    ({"prompt": "x", "image": PIXEL, "guidance": True}, "guidance"),
    ({"prompt": "x", "image": PIXEL, "image_format": "bmp"}, "image_format"),
    ({"prompt": "x", "image": PIXEL, "quality": 5}, "quality: 5"),
    ({"prompt": "x", "image": PIXEL, "aspect_ratio": "big"}, "aspect_ratio: 'big'"),
    ({"prompt": "x", "image": PIXEL, "steps": "many"}, "steps"),
]


@pytest.mark.parametrize(("body", "text"), BAD)
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_bad_input_is_400_and_named_as_segmind_names_it(
    world: World, png: bytes, body: dict[str, Any], text: str, version: str
) -> None:
    sent = {**body, "image": base64.b64encode(png).decode()} if body.get("image") == PIXEL else body
    answer = await world.http.post(f"/segmind/{version}/qwen-image-edit", json=sent)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(text)
    assert not world.stand_in.stored


async def test_errors_have_segminds_statuses(world: World) -> None:
    bare = await world.nobody.post(PAINT, json=CAT)
    wrong = await world.nobody.post(PAINT, json=CAT, headers={"x-api-key": "SG_0"})
    model = await world.http.post("/segmind/v1/nothing", json=CAT)
    request = await world.http.get("/segmind/v2/requests/nope")
    unknown = await world.http.get(f"/segmind/v2/requests/{'0' * 32}")
    answers = (bare, wrong, model, request, unknown)
    assert [answer.status_code for answer in answers] == [401, 401, 404, 404, 404]
    assert bare.json()["status_code"] == 401
    assert all(answer.json()["error"] for answer in answers)


async def test_a_spent_budget_is_406(world: World) -> None:
    from overpaint.core.errors import BudgetError

    world.stand_in.broken = BudgetError("this costs $0.02")
    answer = await world.http.post(PAINT, json=CAT)
    assert (answer.status_code, answer.json()) == (406, {"error": "this costs $0.02"})


async def test_a_script_that_changed_only_its_host_is_understood_by_its_key_header(world: World) -> None:
    key = {"x-api-key": world.http.headers["Authorization"].removeprefix("Bearer ")}
    answer = await world.nobody.post("/v1/qwen-image-fast", json=CAT, headers=key)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    job = (await world.nobody.post("/v2/qwen-image", json=CAT, headers=key)).json()
    assert job["status_url"].startswith("http://testserver/v2/requests/")
    assert (await world.nobody.get(job["status_url"], headers=key)).status_code == 200
    assert (await world.nobody.post("/v1/qwen-image", json=CAT)).json()["status_code"] == 401


async def test_credits_models_and_files(world: World, png: bytes) -> None:
    assert (await world.http.get("/segmind/v1/get-user-credits")).json()["credits"] == 1_000_000
    models = (await world.http.get("/segmind/inference-model-information/list")).json()["models"]
    assert {"qwen-image", "qwen-image-edit-plus"} <= {row["slug"] for row in models}
    uri = "data:image/png;base64," + base64.b64encode(png).decode()
    urls = (await world.http.post("/segmind/upload-asset", json={"data_urls": [uri, uri]})).json()["file_urls"]
    assert len(urls) == 2
    assert (await world.nobody.get(urls[0])).content == png
    assert (await world.http.post(EDIT, json=CAT | {"image": urls[1]})).status_code == 200
    refused = await world.http.post("/segmind/upload-asset", json={"data_urls": [uri, "nothing"]})
    assert refused.json()["error"].startswith("data_urls[1]: 'nothing'")


async def test_what_is_submitted_at_segminds_own_path_is_polled_there(world: World) -> None:
    job = (await world.http.post("/v2/qwen-image", json=CAT)).json()
    assert job["poll_url"] == f"http://testserver/v1/requests/{job['request_id']}"
    await completed(world.http, job["status_url"])
    assert (await world.http.get(job["poll_url"])).json()["images"]
