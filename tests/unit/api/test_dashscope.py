"""DashScope's dialect over a service in memory."""

import asyncio
import base64
from typing import Any

import httpx
import pytest

from overpaint.api.config import ApiConfig
from overpaint.api.dialects.dashscope.convert import source_of, to_draft
from overpaint.api.dialects.dashscope.errors import render_compatible, render_error
from overpaint.api.dialects.dashscope.oss import stored_key
from overpaint.api.dialects.dashscope.schemas import Submission
from overpaint.api.errors import FailedTaskError, UnfinishedTaskError, status_of
from overpaint.core.errors import BackendError, BudgetError, CancelledTaskError, OverpaintError, RequestError
from overpaint.core.task import TaskFailure
from overpaint.service.draft import Draft, PictureFile
from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio

AIGC = "/dashscope/api/v1/services/aigc"
TURN = f"{AIGC}/multimodal-generation/generation"
WORDS = f"{AIGC}/text2image/image-synthesis"
TASKS = "/dashscope/api/v1/tasks"
FLAT = "/dashscope/compatible-mode/v1/images/generations"
ASYNC = {"X-DashScope-Async": "enable"}
CAT = {"model": "qwen-image", "input": {"prompt": "a cat"}}
PICTURE = base64.b64encode(b"x").decode()


def said(*parts: dict[str, str], **parameters: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": list(parts)}]
    return {"model": "qwen-image-2.0", "input": {"messages": messages}, "parameters": parameters}


def draft(body: dict[str, Any]) -> Draft:
    return to_draft(Submission.model_validate(body), "m", "choices")


async def test_words_and_pictures_may_come_in_any_order() -> None:
    first = draft(said({"text": "blue"}, {"image": PICTURE}, {"image": PICTURE}))
    last = draft(said({"image": PICTURE}, {"image": PICTURE}, {"text": "blue"}))
    assert first == last
    assert (first.prompt, len(first.pictures)) == ("blue", 2)


async def test_parameters_mean_what_they_say_and_noise_is_ignored() -> None:
    one = draft(said({"text": "a"}, n=2, size="10*20", seed=7, prompt_extend=False, is_async=True, watermark=True))
    assert (one.num_images, one.size, one.seed, one.enhance) == (2, "10*20", 7, False)
    bare = draft(said({"text": "a"}))
    assert (bare.num_images, bare.size, bare.seed, bare.enhance) == (1, None, -1, None)


@pytest.mark.parametrize("place", ["input", "parameters"])
async def test_what_to_steer_away_from_is_read_in_both_places(place: str) -> None:
    body: dict[str, Any] = {"input": {"prompt": "a"}, "parameters": {}}
    body[place]["negative_prompt"] = "b" * 600
    assert draft(body).negative_prompt == "b" * 500
    body[place]["negative_prompt"] = " "
    assert draft(body).negative_prompt is None


@pytest.mark.parametrize("field", ["image_url", "base_image_url", "images"])
async def test_a_picture_may_have_several_names(field: str) -> None:
    assert len(draft({"input": {"prompt": "a", field: PICTURE}}).pictures) == 1


async def test_an_upload_is_named_by_its_folder_and_not_by_what_its_owner_calls_it() -> None:
    source = source_of("oss://uploads/k/ab/ä b.png", "images")
    assert source == PictureFile(stored_key("uploads/k/ab/ä b.png"))
    assert stored_key("uploads/k/ab/x").startswith("uploads/k/ab/")
    assert stored_key("uploads/k/ab/x") != stored_key("uploads/k/ab/y")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"input": {}}, "input.prompt"),
    ({"input": {"messages": []}}, "input.messages"),
    ({"input": {"messages": [{"role": "system", "content": "a"}]}}, "input.messages"),
    ({"input": {"messages": [{"content": [{"text": "a"}, {"text": "b"}]}]}}, "input.messages[0].content"),
    ({"input": {"messages": [{"content": [{"image": PICTURE}]}]}}, "input.messages[0].content"),
    ({"input": {"prompt": "a", "ref_img": "x"}}, "input.ref_img"),
    ({"input": {"prompt": "a", "function": "doodle"}}, "input.function"),
    ({"input": {"prompt": "a", "function": "description_edit_with_mask"}}, "input.mask_image_url"),
    ({"input": {"prompt": "a"}, "parameters": {"bbox_list": [[1]]}}, "parameters.bbox_list"),
    ({"input": {"prompt": "a"}, "parameters": {"enable_interleave": True}}, "parameters.enable_interleave"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
async def test_what_cannot_be_done_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as raised:
        draft(body)
    assert raised.value.field == field


@pytest.mark.parametrize("parameters", [None, {}])
async def test_parameters_may_be_null(world: World, parameters: dict[str, Any] | None) -> None:
    answer = await world.http.post(WORDS, json=CAT | {"parameters": parameters})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("content", "field"),
    [([{"image": [PICTURE]}, {"text": "a"}], "[0].image"), (["a"], "[0]"), (None, ""), (5, "")],
)
async def test_a_part_of_a_turn_is_named_as_it_was_sent(world: World, content: Any, field: str) -> None:
    body = {"model": "qwen-image-2.0", "input": {"messages": [{"role": "user", "content": content}]}}
    answer = await world.http.post(TURN, json=body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"input.messages[0].content{field}: ")


async def test_a_held_call_has_one_choice_with_all_pictures_and_no_code(world: World) -> None:
    answer = await world.http.post(TURN, json=said({"text": "a cat"}, n=2, size="64*96"))
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"output", "usage", "request_id"}
    (choice,) = body["output"]["choices"]
    assert (choice["finish_reason"], choice["message"]["role"]) == ("stop", "assistant")
    assert [set(part) for part in choice["message"]["content"]] == [{"image"}] * 2
    assert (body["usage"]["width"], body["usage"]["height"], body["usage"]["image_count"]) == (64, 96, 2)
    assert answer.headers["x-request-id"] == body["request_id"].replace("-", "")
    assert (await world.nobody.get(choice["message"]["content"][1]["image"])).status_code == 200


async def ended(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    for _ in range(200):
        body = (await http.get(f"{TASKS}/{task_id}")).json()
        if body["output"]["task_status"] not in ("PENDING", "RUNNING"):
            return body
        await asyncio.sleep(0.01)
    raise AssertionError(task_id)


async def test_a_task_is_answered_in_the_form_of_its_call(world: World) -> None:
    synthesis = (await world.http.post(WORDS, json=CAT, headers=ASYNC)).json()["output"]
    assert synthesis["task_status"] == "PENDING"
    output = (await ended(world.http, synthesis["task_id"]))["output"]
    assert output["results"][0]["orig_prompt"] == "a cat"
    assert output["task_metrics"] == {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}
    path = f"{AIGC}/image-generation/generation"
    generation = (await world.http.post(path, json=said({"text": "a cat"}), headers=ASYNC)).json()["output"]
    output = (await ended(world.http, generation["task_id"]))["output"]
    assert output["choices"][0]["message"]["content"][0]["type"] == "image"


async def test_a_failed_task_is_200_with_its_code_and_a_failed_call_is_not(world: World) -> None:
    body = {"model": "qwen-image", "input": {"prompt": "please fail"}}
    task_id = (await world.http.post(WORDS, json=body, headers=ASYNC)).json()["output"]["task_id"]
    output = (await ended(world.http, task_id))["output"]
    assert (output["task_status"], output["code"]) == ("FAILED", "InternalError")
    assert output["task_metrics"]["FAILED"] == 1
    held = await world.http.post(WORDS, json=body)
    assert (held.status_code, held.json()["code"]) == (500, "InternalError")
    assert held.headers["x-should-retry"] == "false"
    flat = await world.http.post(FLAT, json={"model": "qwen-image-3.0", "prompt": "please fail"})
    assert (flat.status_code, flat.headers["x-should-retry"]) == (500, "false")


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (FailedTaskError(TaskFailure("backend", "on fire")), True),
        (FailedTaskError(TaskFailure("no_capacity", "full")), False),
        (OverpaintError("a bug"), True),
        (CancelledTaskError(), True),
        (UnfinishedTaskError("not yet"), False),
        (BackendError("away"), False),
    ],
    ids=["failed", "no room", "bug", "cancelled", "late", "away"],
)
async def test_what_would_be_painted_again_is_not_to_be_sent_again(error: OverpaintError, is_final: bool) -> None:
    for render in (render_error, render_compatible):
        assert ("x-should-retry" in render(status_of(error), error).headers) == is_final


async def test_a_streamed_answer_is_one_event(world: World) -> None:
    answer = await world.http.post(TURN, json=said({"text": "a cat"}), headers={"X-DashScope-SSE": "enable"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("id: 1\nevent: result\ndata: {")
    assert answer.text.count("data:") == 1


@pytest.mark.parametrize("api_config", [ApiConfig(sync_timeout_s=0.1)], ids=["short"])
async def test_a_call_that_is_late_is_504_and_its_retry_gets_the_task(world: World) -> None:
    world.stand_in.step_s = 0.2
    answer = await world.http.post(TURN, json=said({"text": "a cat"}))
    assert (answer.status_code, answer.json()["code"]) == (504, "GatewayTimeout")
    assert world.stand_in.unheard == list(world.stand_in.stored)


@pytest.mark.parametrize("slash", ["", "/"])
async def test_tasks_have_two_spellings(world: World, slash: str) -> None:
    world.stand_in.step_s = 0.2
    task_id = (await world.http.post(WORDS, json=CAT, headers=ASYNC)).json()["output"]["task_id"]
    assert (await world.http.get(f"{TASKS}/{task_id}{slash}")).json()["output"]["task_status"] == "PENDING"
    junk = {"model": "", "parameters": {}, "input": ""}
    cancelled = await world.http.post(f"{TASKS}/{task_id}/cancel{slash}", json=junk)
    assert cancelled.status_code == 200
    assert set(cancelled.json()) == {"request_id"}
    again = await world.http.post(f"{TASKS}/{task_id}/cancel{slash}")
    assert (again.status_code, again.json()["code"]) == (400, "UnsupportedOperation")
    assert (await world.http.get(f"{TASKS}/{task_id}{slash}")).json()["output"]["task_status"] == "CANCELED"


async def test_what_is_gone_or_anothers_is_unknown(world: World) -> None:
    task_id = (await world.http.post(WORDS, json=CAT, headers=ASYNC)).json()["output"]["task_id"]
    for http, wanted in ((world.stranger, task_id), (world.http, "nope")):
        body = (await http.get(f"{TASKS}/{wanted}")).json()
        assert body["output"] == {"task_id": wanted, "task_status": "UNKNOWN"}


async def test_lists_have_rows_for_both_generations_of_the_client(world: World) -> None:
    for number in range(3):
        await world.http.post(WORDS, json={**CAT, "input": {"prompt": f"cat {number}"}})
    page = (await world.http.get(TASKS, params={"page_no": 2, "page_size": 2})).json()
    assert (page["total"], page["total_page"], len(page["data"]), len(page["tasks"])) == (3, 2, 1, 1)
    assert page["data"][0]["model_name"] == "qwen-image"
    assert page["data"][0]["status"] == page["tasks"][0]["task_status"] == "SUCCEEDED"
    for status in ("FAILED", "SUSPENDED", "UNKNOWN"):
        none = (await world.http.get(TASKS, params={"status": status})).json()
        assert (none["data"], none["tasks"], none["total"], none["total_page"]) == ([], [], 0, 0)
    bad = await world.http.get(TASKS, params={"start_time": "yesterday"})
    assert (bad.status_code, bad.json()["code"]) == (400, "InvalidParameter")


async def test_a_narrowed_list_has_the_same_total_on_every_page(world: World) -> None:
    await world.http.post(WORDS, json={"model": "qwen-image", "input": {"prompt": "please fail"}}, headers=ASYNC)
    for _ in range(4):
        task_id = (await world.http.post(WORDS, json=CAT, headers=ASYNC)).json()["output"]["task_id"]
        await ended(world.http, task_id)
    for narrow, total in (({"status": "SUCCEEDED"}, 4), ({"model_name": "qwen-image"}, 5), ({"model_name": "no"}, 0)):
        asked = [{"page_no": number, "page_size": 1} | narrow for number in (1, 3, 6)]
        pages = [(await world.http.get(TASKS, params=params)).json() for params in asked]
        assert [page["total"] for page in pages] == [total] * 3
        assert [len(page["data"]) for page in pages] == [min(total, 1), min(total, 1), 0]


async def policy(http: httpx.AsyncClient) -> dict[str, Any]:
    params = {"action": "getPolicy", "model": "qwen-image-edit"}
    return (await http.get("/dashscope/api/v1/uploads", params=params)).json()["data"]


def form(given: dict[str, Any], name: str) -> dict[str, str]:
    return {
        "OSSAccessKeyId": given["oss_access_key_id"],
        "Signature": given["signature"],
        "policy": given["policy"],
        "key": f"{given['upload_dir']}/{name}",
        "success_action_status": "200",
    }


async def test_an_upload_needs_the_policy_and_is_its_owners(world: World, png: bytes) -> None:
    given = await policy(world.http)
    assert given["upload_host"] == "http://testserver/dashscope/oss"
    file = {"file": ("a b.png", png)}
    stored = await world.nobody.post(given["upload_host"], data=form(given, "a b.png"), files=file)
    assert stored.status_code == 200
    twice = await world.nobody.post(given["upload_host"], data=form(given, "a b.png"), files=file)
    assert twice.status_code == 403
    assert "FileAlreadyExists" in twice.json()["message"]
    other = form(given, "c.png") | {"key": "uploads/somebody/else/c.png"}
    elsewhere = await world.nobody.post(given["upload_host"], data=other, files=file)
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "AccessDenied")
    assert given["upload_dir"].startswith("uploads/")


async def test_the_flat_call_and_its_errors(world: World) -> None:
    path = FLAT
    asked = {"model": "qwen-image-3.0", "prompt": "a cat", "size": "auto", "n": 2, "response_format": "b64_json"}
    answer = (await world.http.post(path, json=asked)).json()
    assert [set(item) for item in answer["data"]] == [{"url"}] * 2
    assert answer["usage"]["output_image_count"] == 2
    bare = await world.nobody.post(path, json=asked)
    assert (bare.status_code, bare.json()["error"]["code"]) == (401, "InvalidApiKey")
    missing = await world.http.post(path, json={"model": "qwen-image-3.0"})
    assert missing.json()["error"]["message"] == "prompt: is required"
    broken = await world.http.post(path, content=b"{")
    assert (broken.status_code, broken.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_errors_have_dashscopes_codes(world: World) -> None:
    bare = await world.nobody.post(TURN, json=said({"text": "a"}))
    model = await world.http.post(TURN, json=said({"text": "a"}) | {"model": "nothing"})
    unnamed = await world.http.post(TURN, json={"input": {"prompt": "a"}})
    assert [(answer.status_code, answer.json()["code"]) for answer in (bare, model, unnamed)] == [
        (401, "InvalidApiKey"),
        (404, "ModelNotFound"),
        (400, "InvalidParameter"),
    ]
    assert unnamed.json()["message"] == "model: is required"
    world.stand_in.broken = BudgetError("this costs $0.02")
    spent = await world.http.post(TURN, json=said({"text": "a"}))
    assert (spent.status_code, spent.json()["code"]) == (400, "Arrearage")


async def test_the_vendors_own_paths_work_and_uploads_stay_on_them(world: World) -> None:
    answer = await world.http.post("/api/v1/services/aigc/text2image/image-synthesis", json=CAT)
    assert answer.json()["output"]["task_status"] == "SUCCEEDED"
    given = (await world.http.get("/api/v1/uploads")).json()["data"]
    assert given["upload_host"] == "http://testserver/oss"
