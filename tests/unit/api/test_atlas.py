"""AtlasCloud's dialect over a service in memory."""

import asyncio
import base64
from typing import Any

import httpx
import pytest

from overpaint.api.config import ApiConfig
from overpaint.api.dialects.atlas.convert import to_draft
from overpaint.api.dialects.atlas.schemas import GenerateInput
from overpaint.core.errors import BudgetError, RequestError
from overpaint.core.request import OutputSpec
from overpaint.core.sizes import Size
from overpaint.service.draft import Draft
from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio

ROOT = "/atlas/api/v1/model"
SUBMIT = f"{ROOT}/generateImage"
CAT = {"model": "qwen/qwen-image-2.0/text-to-image", "prompt": "a cat", "size": "64*96"}
PICTURE = base64.b64encode(b"x").decode()


def draft(**fields: Any) -> Draft:
    return to_draft(GenerateInput.model_validate({"prompt": "a cat"} | fields), "m")


async def test_fields_mean_what_they_say_in_the_body_and_below_input() -> None:
    fields = {
        "image": PICTURE,
        "images": [PICTURE],
        "steps": 4,
        "guidance_scale": 3,
        "num_images": 2,
        "seed": 7,
        "output_format": "jpg",
        "enable_prompt_expansion": True,
    }
    one = draft(**fields)
    assert one == draft(input={"prompt": "a cat", **fields})
    assert (len(one.pictures), one.steps, one.true_cfg_scale, one.negative_prompt) == (2, 4, 3, " ")
    assert (one.num_images, one.seed, one.enhance, one.output) == (2, 7, True, OutputSpec("jpeg"))
    assert draft(n=3, num_inference_steps=5) == draft(num_images=3, steps=5)


async def test_a_size_is_asked_for_in_three_ways() -> None:
    assert draft(size="10*20").size == "10*20"
    assert draft(width=10, height=20, size="1*1").size == Size(10, 20)
    assert draft(aspect_ratio="16:9").size == "16:9"
    assert draft(images=PICTURE).size is None
    with pytest.raises(RequestError, match="height"):
        draft(width=10)


async def completed(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    for _ in range(200):
        body = (await http.get(url)).json()
        if body["data"]["status"] != "processing":
            return body
        await asyncio.sleep(0.01)
    raise AssertionError(url)


async def test_an_answer_holds_every_documented_shape(world: World) -> None:
    world.stand_in.step_s = 0.02
    body = (await world.http.post(SUBMIT, json=CAT)).json()
    assert (body["code"], body["message"], body["data"]["outputs"]) == (200, "success", None)
    assert body["data"]["id"] == body["id"] == body["predictionId"]
    assert body["data"]["urls"]["get"] == body["url"] == f"http://testserver{ROOT}/prediction/{body['id']}"
    done = await completed(world.http, body["url"])
    assert done["data"]["status"] == done["status"] == "completed"
    assert done["data"]["outputs"] == done["outputs"]
    assert done["data"]["model"] == CAT["model"]
    assert (await world.nobody.get(done["outputs"][0])).status_code == 200


@pytest.mark.parametrize("root", [ROOT, "/api/v1/model"])
async def test_a_prediction_is_polled_by_either_of_its_paths(world: World, root: str) -> None:
    """Some model pages say ``result`` where the others say ``prediction``."""
    task_id = (await world.http.post(SUBMIT, json=CAT | {"enable_sync_mode": True})).json()["id"]
    polled = [(await world.http.get(f"{root}/{path}/{task_id}")).json() for path in ("prediction", "result")]
    assert polled[0] == polled[1]
    assert polled[1]["data"]["status"] == "completed"
    gone = await world.http.get(f"{root}/result/{'0' * 32}")
    assert (gone.status_code, gone.json()["code"]) == (404, 404)


async def test_sync_mode_and_base64_answer_with_the_picture(world: World) -> None:
    body = (await world.http.post(SUBMIT, json=CAT | {"enable_sync_mode": True, "enable_base64_output": True})).json()
    assert body["data"]["status"] == "completed"
    assert base64.b64decode(body["outputs"][0].partition(",")[2]).startswith(b"\x89PNG")


async def test_null_is_what_is_left_out(world: World) -> None:
    fields = dict.fromkeys(set(GenerateInput.model_fields) - {"model", "prompt"})
    answer = await world.http.post(SUBMIT, json=CAT | fields | {"size": "64*96"})
    assert answer.status_code == 200, answer.text
    assert draft(**fields) == draft()


@pytest.mark.parametrize("api_config", [ApiConfig(sync_timeout_s=0.1)], ids=["short"])
async def test_sync_mode_that_runs_out_of_time_is_still_processing(world: World) -> None:
    world.stand_in.step_s = 0.2
    body = (await world.http.post(SUBMIT, json=CAT | {"enable_sync_mode": True})).json()
    assert (body["code"], body["status"]) == (200, "processing")


async def test_a_failed_task_is_a_status_and_no_http_error(world: World) -> None:
    answer = await world.http.post(SUBMIT, json=CAT | {"prompt": "please fail", "enable_sync_mode": True})
    data = answer.json()["data"]
    assert (answer.status_code, data["status"], data["error"]) == (200, "failed", "the engine said HTTP 500")


async def test_an_upload_is_told_in_both_ways_and_usable(world: World, png: bytes) -> None:
    body = (await world.http.post(f"{ROOT}/uploadMedia", files={"file": ("a.png", png, "image/png")})).json()
    assert body["url"] == body["download_url"] == body["data"]["url"] == body["data"]["download_url"]
    asked = {"model": "qwen/qwen-image-2.0/edit", "prompt": "make it blue", "images": [body["url"]]}
    assert (await world.http.post(SUBMIT, json=asked)).status_code == 200


@pytest.mark.parametrize("api_config", [ApiConfig(max_body_bytes=2**20)], ids=["1MiB"])
async def test_an_upload_beyond_the_limit_is_413(world: World) -> None:
    answer = await world.http.post(f"{ROOT}/uploadMedia", files={"file": ("a.png", b"x" * 2**21)})
    assert (answer.status_code, answer.json()["code"]) == (413, 413)
    assert "at most 1 MiB" in answer.json()["msg"]


async def test_an_upload_without_a_file_is_told(world: World) -> None:
    answer = await world.http.post(f"{ROOT}/uploadMedia", files={"picture": ("a.png", b"x")})
    assert (answer.status_code, answer.json()["msg"]) == (400, "file: is required")


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"prompt": "x"}, 400, "model: is required"),
    ({"model": "nobody/nothing", "prompt": "x"}, 404, "model: 'nobody/nothing'"),
    ({"model": CAT["model"]}, 400, "prompt: is required"),
    (CAT | {"images": ["###"]}, 400, "images[0]: '###'"),
    (CAT | {"seed": True}, 400, "seed"),
    (CAT | {"num_images": 0}, 400, "num_images: 0"),
    (CAT | {"output_format": "bmp"}, 400, "output_format: 'bmp'"),
    (CAT | {"enable_sync_mode": "perhaps"}, 400, "enable_sync_mode"),
]


@pytest.mark.parametrize(("body", "status", "text"), BAD)
async def test_bad_input_is_told_with_code_and_msg(world: World, body: dict[str, Any], status: int, text: str) -> None:
    answer = await world.http.post(SUBMIT, json=body)
    told = answer.json()
    assert (answer.status_code, told["code"], told["data"]) == (status, status, None)
    assert told["msg"] == told["message"]
    assert told["msg"].startswith(text)
    assert not world.stand_in.stored


async def test_errors_have_their_statuses(world: World) -> None:
    bare = await world.nobody.post(SUBMIT, json=CAT)
    unknown = await world.http.get(f"{ROOT}/prediction/nope")
    task_id = (await world.http.post(SUBMIT, json=CAT)).json()["id"]
    other = await world.stranger.get(f"{ROOT}/prediction/{task_id}")
    video = await world.http.post(f"{ROOT}/generateVideo", json=CAT)
    world.stand_in.broken = BudgetError("insufficient balance")
    spent = await world.http.post(SUBMIT, json=CAT)
    answers = (bare, unknown, other, video, spent)
    assert [answer.status_code for answer in answers] == [401, 404, 404, 404, 402]
    assert [answer.json()["code"] for answer in answers] == [401, 404, 404, 404, 402]


async def test_the_vendors_own_path_works_and_links_stay_on_it(world: World) -> None:
    body = (await world.http.post("/api/v1/model/generateImage", json=CAT)).json()
    assert body["url"] == f"http://testserver/api/v1/model/prediction/{body['id']}"
