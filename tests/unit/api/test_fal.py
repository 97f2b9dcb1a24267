"""fal's words to the service's and back, without a server."""

import json
import time
from typing import Any

import pytest
from pydantic import ValidationError

from overpaint.api.config import ApiConfig
from overpaint.api.dialects.fal.convert import Manners, in_fals_words, lifetime_s, to_draft
from overpaint.api.dialects.fal.endings import REFUSAL, START_WITHIN_S, ending_error
from overpaint.api.dialects.fal.endpoints import ENDPOINTS, alias_of, endpoint_at
from overpaint.api.dialects.fal.errors import refusal_of
from overpaint.api.dialects.fal.findings import from_pydantic
from overpaint.api.dialects.fal.progress import log_of, status_of
from overpaint.api.dialects.fal.tokens import STORAGE, caller_of, issue
from overpaint.api.errors import STATUS_OF, FailedTaskError, FindingsError, RouteError
from overpaint.core.errors import (
    AccessError,
    BudgetError,
    CheckpointError,
    ContentError,
    OverpaintError,
    PictureError,
    RateLimitError,
    RequestError,
    SettingError,
    TaskNotFoundError,
    UnreachablePictureError,
)
from overpaint.core.events import Progress
from overpaint.core.request import AdapterRef, OutputSpec
from overpaint.core.sizes import Size
from overpaint.core.task import Priority, Task, TaskFailure, TaskSpec, TaskState
from overpaint.service.caller import Caller
from overpaint.service.draft import Draft, PictureUrl
from overpaint.service.watch import Queued, TaskEvent
from tests.unit.api.conftest import World
from tests.unit.api.stand_in import StandIn

PAINT, EDIT, PLUS = "fal-ai/qwen-image", "fal-ai/qwen-image-edit", "fal-ai/qwen-image-edit-plus"
NEW, NEW_EDIT = "fal-ai/qwen-image-2/text-to-image", "fal-ai/qwen-image-2/edit"
A, B = "https://a.example/a.png", "https://a.example/b.png"
NEEDED: dict[str, Any] = {"image_url": A, "image_urls": [A, B], "mask_url": B, "prompt": "a cat"}


def draft(app: str, **fields: Any) -> Draft:
    endpoint = endpoint_at(app)
    body = endpoint.body.model_validate({"prompt": "a cat"} | fields)
    return to_draft(body, endpoint, Manners())


def task(state: TaskState = TaskState.SUCCEEDED, **changes: Any) -> Task:
    from datetime import UTC, datetime

    wording = changes.pop("wording", {})
    spec = TaskSpec("fal-ai/qwen-image", "a cat", 7, wording=wording)
    now = datetime.now(UTC)
    return Task("0" * 32, "k", "fal", spec, state, Priority.INTERACTIVE, 0, 0, now, finished_at=now, **changes)


def test_every_endpoint_is_in_the_catalogue_and_every_alias_is_an_endpoint() -> None:
    names = {name for name in StandIn().catalogue.names() if name.startswith("fal-ai/")}
    assert names == set(ENDPOINTS)


@pytest.mark.parametrize("app", [app for app in ENDPOINTS if "layered" not in app])
def test_every_endpoint_takes_what_it_documents_as_required(app: str) -> None:
    endpoint = ENDPOINTS[app]
    entry = StandIn().catalogue.find(app)
    needed = {name: value for name, value in NEEDED.items() if name in endpoint.body.model_fields}
    asked = to_draft(endpoint.body.model_validate(needed), endpoint, Manners())
    entry.pictures.check_count(len(asked.pictures))
    assert (asked.mask is not None) == ("mask_url" in needed)
    assert asked.output == OutputSpec("png")
    for name in needed:
        with pytest.raises(ValidationError, match=name):
            endpoint.body.model_validate({key: value for key, value in needed.items() if key != name})


@pytest.mark.parametrize("app", ["fal-ai/qwen-image-layered", "fal-ai/qwen-image-layered/lora"])
def test_layers_are_refused_by_name(app: str) -> None:
    with pytest.raises(RequestError, match="num_layers: 4 cannot be painted"):
        draft(app, image_url=A)


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        (None, Size(1024, 768)),
        ("square", Size(512, 512)),
        ("portrait_16_9", Size(576, 1024)),
        ({"width": 640, "height": 480}, Size(640, 480)),
        ({}, Size(512, 512)),
    ],
)
def test_sizes_are_presets_or_sides(asked: Any, size: Size) -> None:
    assert draft(PAINT, image_size=asked).size == size


@pytest.mark.parametrize(("seed", "painted"), [(None, -1), (0, 0), (2**31, 0), (2**64 - 1, 2**31 - 1)])
def test_a_seed_of_64_bits_is_folded_where_no_largest_is_documented(seed: int | None, painted: int) -> None:
    """Seeds that fal answered with, and those that ComfyUI makes up, are often larger."""
    assert draft(PAINT, seed=seed).seed == painted
    with pytest.raises(ValidationError, match="seed"):
        draft(NEW, seed=2**31)


def test_an_edit_without_a_size_follows_its_picture() -> None:
    assert draft(EDIT, image_url=A).size is None
    assert draft(PLUS, image_urls=[A, B]).pictures == (PictureUrl(A), PictureUrl(B))


@pytest.mark.parametrize(
    ("app", "fields", "scale", "negative"),
    [
        (PAINT, {}, None, None),
        (PAINT, {"negative_prompt": " "}, None, None),
        (PAINT, {"negative_prompt": "blurry"}, 2.5, "blurry"),
        (PAINT, {"guidance_scale": 4}, 4.0, " "),
        (PAINT, {"guidance_scale": 0}, 1.0, " "),
        (PAINT, {"use_turbo": True}, 1.2, " "),
        (PAINT, {"use_turbo": True, "guidance_scale": 3}, 3.0, " "),
        (PLUS, {"image_urls": [A], "negative_prompt": "blurry"}, 4.5, "blurry"),
        (NEW, {"negative_prompt": "blurry"}, 4.0, "blurry"),
    ],
)
def test_guidance_is_used_where_it_is_asked_for(
    app: str, fields: dict[str, Any], scale: float | None, negative: str | None
) -> None:
    asked = draft(app, **fields)
    assert (asked.true_cfg_scale, asked.negative_prompt) == (scale, negative)


def test_turbo_takes_ten_steps_unless_told_otherwise() -> None:
    assert draft(PAINT, use_turbo=True).steps == 10
    assert draft(PAINT, use_turbo=True, num_inference_steps=6).steps == 6
    assert draft(PAINT).steps is None


def test_acceleration_is_what_was_asked_for_or_none() -> None:
    assert draft(PAINT).acceleration == "none"
    assert draft(PLUS, image_urls=[A], acceleration="high").acceleration == "high"
    assert draft(NEW).acceleration == "none"


def test_adapters_prompt_expansion_and_manners_go_along() -> None:
    assert draft(PAINT, loras=[{"path": "a/b"}]).adapters == (AdapterRef("a/b", 1.0),)
    assert draft(NEW).enhance is True
    assert draft(NEW, enable_prompt_expansion=False).enhance is False
    assert draft(PAINT).enhance is None
    endpoint = endpoint_at(PAINT)
    body = endpoint.body.model_validate({"prompt": "a cat", "sync_mode": True})
    asked = to_draft(body, endpoint, Manners("https://a.example/hook", True, 12.5, 60))
    assert (asked.webhook_url, asked.priority) == ("https://a.example/hook", Priority.BATCH)
    assert asked.wording == {"app": PAINT, "sync_mode": "yes", "start_within_s": "12.5", "expires_s": "60"}
    assert lifetime_s(asked.wording, 20) == 40
    assert lifetime_s(asked.wording, 99) == 0
    assert lifetime_s({}, 99) is None


@pytest.mark.parametrize(
    ("app", "error", "loc", "kind"),
    [
        (EDIT, PictureError("images[0]", "x", "is damaged"), ["body", "image_url"], "image_load_error"),
        (PLUS, PictureError("images[1]", "x", "is damaged"), ["body", "image_urls", 1], "image_load_error"),
        (
            NEW_EDIT,
            UnreachablePictureError("images[0]", A, "cannot be fetched"),
            ["body", "image_urls", 0],
            "file_download_error",
        ),
        (PAINT, ContentError("prompt", "x", "is refused"), ["body", "prompt"], "content_policy_violation"),
        (PAINT, RequestError("size", "1x1", "must be larger"), ["body", "image_size"], "value_error"),
        (PAINT, RequestError("steps", 0, "must be 1 to 200"), ["body", "num_inference_steps"], "value_error"),
        (PAINT, RequestError("adapters", "a", "cannot be applied"), ["body", "loras"], "value_error"),
        (PAINT, RequestError("body", "1 byte", "must be JSON"), ["body"], "value_error"),
    ],
)
def test_findings_name_fields_as_fal_does(app: str, error: RequestError, loc: list[str | int], kind: str) -> None:
    refusal = refusal_of(in_fals_words(error, endpoint_at(app)))
    assert refusal.status == 422
    (found,) = refusal.body["detail"]
    assert (found["loc"], found["type"]) == (loc, kind)
    assert found["url"] == f"https://docs.fal.ai/errors/#{kind}"


def test_everything_that_is_wrong_is_told_at_once_and_pictures_are_not_sent_back() -> None:
    with pytest.raises(ValidationError) as caught:
        endpoint_at(EDIT).body.model_validate({"image_url": ["data:" + "x" * 9999], "image_size": "huge", "seed": -1})
    findings = refusal_of(from_pydantic(caught.value)).body["detail"]
    assert {tuple(found["loc"][1:2]) for found in findings} == {("prompt",), ("image_url",), ("image_size",), ("seed",)}
    assert all(found["loc"] == found["loc"][:2] for found in findings)
    assert len(str(findings)) < 3000


def everything() -> list[OverpaintError]:
    made: list[OverpaintError] = [RouteError(405, "no"), CheckpointError("/x", "is missing")]
    for kind in STATUS_OF:
        if kind is FindingsError:
            made.append(FindingsError([]))
        elif issubclass(kind, RequestError):
            made.append(kind("prompt", "x", "is bad"))
        elif kind is FailedTaskError:
            made += [FailedTaskError(TaskFailure(code, "it broke")) for code in ("backend", "content", "no_capacity")]
        elif kind is SettingError:
            made.append(SettingError("device", "'x' is no device"))
        elif not issubclass(kind, CheckpointError):
            made.append(kind("it broke"))
    return made


@pytest.mark.parametrize("error", everything(), ids=lambda error: f"{type(error).__name__} {error}")
def test_no_error_has_a_status_that_makes_the_client_send_again(error: OverpaintError) -> None:
    refusal = refusal_of(error)
    assert 400 <= refusal.status < 600
    assert refusal.status not in (408, 409)
    assert refusal.body["detail"]
    assert refusal.text
    assert refusal.error_type or refusal.status in (401, 402, 403, 404, 405, 413, 429)
    assert "nginx" not in str(refusal.body)


@pytest.mark.parametrize(
    "error", [RateLimitError("slow down", 1.0), BudgetError("nothing left"), AccessError("no key")]
)
def test_what_fal_has_no_type_for_is_no_bad_request(error: OverpaintError) -> None:
    """Programs take `bad_request` for a request that is wrong, which another try would not mend."""
    refusal = refusal_of(error)
    assert refusal.body == {"detail": error.message}
    assert "X-Fal-Error-Type" not in refusal.headers


def test_how_a_task_ended_is_told_from_what_it_carries() -> None:
    assert ending_error(task()) is None
    cancelled = ending_error(task(TaskState.CANCELLED))
    assert cancelled is not None
    assert refusal_of(cancelled).status == 499
    late = ending_error(task(TaskState.CANCELLED, wording={START_WITHIN_S: "0"}))
    assert late is not None
    assert (refusal_of(late).status, refusal_of(late).headers["X-Fal-Request-Timeout-Type"]) == (504, "user")
    in_time = ending_error(task(TaskState.CANCELLED, wording={START_WITHIN_S: "5"}))
    assert in_time is not None
    assert refusal_of(in_time).status == 499
    findings = '[{"loc": ["body", "prompt"], "msg": "Field required", "type": "missing"}]'
    refused = ending_error(
        task(TaskState.FAILED, wording={REFUSAL: findings}, failure=TaskFailure("missing", "prompt: is required"))
    )
    assert refused is not None
    assert refusal_of(refused).body["detail"][0]["type"] == "missing"


def test_a_status_always_has_its_log_and_only_the_queue_a_place() -> None:
    waiting = status_of(task(TaskState.QUEUED), "u", 3, None).answer()
    assert (waiting["status"], waiting["queue_position"], waiting["logs"]) == ("IN_QUEUE", 3, None)
    events = [TaskEvent(1, "x", Queued(1)), TaskEvent(2, "x", Progress("x", "denoise", 1, 4))]
    running = status_of(task(TaskState.RUNNING), "u", 0, log_of(events)).answer()
    assert [line["message"] for line in running["logs"]] == ["denoise: step 1 of 4"]
    assert "queue_position" not in running
    done = status_of(task(), "u", 0, None).answer()
    assert (done["status"], done["logs"], done["metrics"]) == ("COMPLETED", None, {"inference_time": 0.0})


@pytest.mark.anyio
async def test_a_token_serves_its_purpose_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = StandIn()
    _, secret = await stand_in.keys.create("mine")
    caller = await stand_in.keys.authenticate(secret)
    token, _ = issue(stand_in.service, caller, (STORAGE,), 60)
    assert await caller_of(stand_in.service, token, STORAGE) == Caller(caller.key)
    for text, wanted in ((token, "qwen-image"), (token + "0", STORAGE), ("opt_x.y", STORAGE), ("opt_", STORAGE)):
        with pytest.raises(AccessError):
            await caller_of(stand_in.service, text, wanted)
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 61)
    with pytest.raises(AccessError, match="expired"):
        await caller_of(stand_in.service, token, STORAGE)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_an_unknown_endpoint_is_not_found_in_fals_words() -> None:
    with pytest.raises(TaskNotFoundError, match='Application "fal-ai/nothing" not found'):
        endpoint_at("fal-ai/nothing/")
    assert alias_of("fal-ai/qwen-image-2/pro/edit") == "fal-ai/qwen-image-2"


@pytest.mark.anyio
@pytest.mark.parametrize("api_config", [ApiConfig(sync_timeout_s=0.1)], ids=["short"])
async def test_a_picture_that_is_late_is_504_and_its_retry_gets_it(world: World) -> None:
    world.stand_in.step_s = 0.2
    answer = await world.http.post(f"/fal/run/{PAINT}", json={"prompt": "a cat"})
    assert (answer.status_code, answer.json()["error_type"]) == (504, "request_timeout")
    assert "x-fal-request-timeout-type" not in answer.headers, "the client may send it again"
    assert world.stand_in.unheard == list(world.stand_in.stored)


@pytest.mark.anyio
async def test_a_token_makes_no_further_tokens(world: World) -> None:
    storage = (await world.http.post("/fal/rest/storage/auth/token")).json()["token"]
    bearer = {"Authorization": f"Bearer {storage}"}
    minted = await world.nobody.post("/fal/rest/tokens/", json={"allowed_apps": ["qwen-image"]}, headers=bearer)
    renewed = await world.nobody.post("/fal/rest/storage/auth/token", headers=bearer)
    assert (minted.status_code, renewed.status_code) == (401, 401)


@pytest.mark.anyio
async def test_a_token_reaches_the_requests_of_its_endpoints_only(world: World) -> None:
    said = await world.http.post("/fal/rest/tokens/", json={"allowed_apps": ["qwen-image"], "token_expiration": 60})
    bearer = {"Authorization": f"Bearer {said.json()}"}
    mine = (await world.http.post(f"/fal/queue/{PAINT}", json={"prompt": "a cat"})).json()["request_id"]
    other = (await world.http.post(f"/fal/queue/{NEW}", json={"prompt": "a cat"})).json()["request_id"]
    for request_id, allowed in ((mine, True), (other, False)):
        told = await world.nobody.get(f"/fal/queue/{PAINT}/requests/{request_id}/status", headers=bearer)
        assert (told.status_code != 401) is allowed
    storage = (await world.http.post("/fal/rest/storage/auth/token")).json()["token"]
    reading = await world.nobody.get(f"/fal/queue/x/requests/{mine}", headers={"Authorization": f"Bearer {storage}"})
    assert reading.status_code == 401


@pytest.mark.anyio
async def test_a_stream_ends_with_the_pictures_themselves_where_that_is_asked(world: World) -> None:
    body = {"prompt": "a cat", "sync_mode": True}
    told = (await world.http.post(f"/fal/run/{PAINT}/stream", json=body)).text
    assert json.loads(told.strip().rpartition("data: ")[2])["images"][0]["url"].startswith("data:image/png;base64,")


@pytest.mark.anyio
async def test_what_cannot_be_json_is_refused_in_json(world: World) -> None:
    answer = await world.http.post(
        f"/fal/run/{PAINT}",
        content=b'{"prompt": "a cat", "guidance_scale": NaN}',
        headers={"content-type": "application/json"},
    )
    json.loads(answer.text, parse_constant=lambda name: pytest.fail(name))
    assert answer.status_code == 422


@pytest.mark.anyio
async def test_an_unknown_choice_has_fals_type(world: World) -> None:
    answer = await world.http.post(f"/fal/run/{PAINT}", json={"prompt": "a cat", "output_format": "tiff"})
    assert answer.json()["detail"][0]["type"] == "one_of"


@pytest.mark.anyio
async def test_an_empty_webhook_is_none(world: World) -> None:
    answer = await world.http.post(f"/fal/queue/{PAINT}?fal_webhook=", json={"prompt": "a cat"})
    assert answer.status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("where", ["run", "queue"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Fal-Request-Timeout", "soon"),
        ("X-Fal-Request-Timeout", "inf"),
        ("X-Fal-Object-Lifecycle-Preference", "60"),
        ("X-Fal-Object-Lifecycle-Preference", '{"expiration_duration_seconds": -1}'),
    ],
)
async def test_a_malformed_header_is_a_bad_request_and_no_fault_of_the_input(
    world: World, where: str, name: str, value: str
) -> None:
    answer = await world.http.post(f"/fal/{where}/{PAINT}", json={"prompt": "a cat"}, headers={name: value})
    assert (answer.status_code, answer.json()["error_type"]) == (400, "bad_request")
    assert name.lower() in answer.json()["detail"]
    assert answer.headers["X-Fal-Error-Type"] == "bad_request"


@pytest.mark.anyio
async def test_a_hundred_years_are_for_ever(world: World) -> None:
    """Older JavaScript clients say so for "never"."""
    headers = {"X-Fal-Object-Lifecycle-Preference": '{"expiration_duration_seconds": 3153600000}'}
    answer = await world.http.post(f"/fal/run/{PAINT}", json={"prompt": "a cat"}, headers=headers)
    assert answer.status_code == 200
    (stored,) = world.stand_in.stored.values()
    assert lifetime_s(stored.spec.wording, 0) is None


@pytest.mark.anyio
async def test_a_result_has_its_other_path_too(world: World) -> None:
    painted = await world.http.post(f"/fal/run/{PAINT}", json={"prompt": "a cat"})
    request = f"/fal/queue/{PAINT}/requests/{painted.headers['x-fal-request-id']}"
    for path in (request, f"{request}/response"):
        answer = await world.http.get(path)
        assert (answer.status_code, answer.json()) == (200, painted.json())


@pytest.mark.anyio
async def test_what_is_not_there_to_be_cancelled_has_its_status(world: World) -> None:
    answer = await world.http.put(f"/fal/queue/{PAINT}/requests/{'0' * 32}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (404, "NOT_FOUND")


@pytest.mark.anyio
async def test_a_token_is_given_without_a_redirect(world: World) -> None:
    """fal's asynchronous client follows none."""
    answer = await world.http.post("/fal/rest/tokens", json={"allowed_apps": ["qwen-image"]})
    assert answer.status_code == 200


def test_a_failed_request_says_that_sending_it_again_is_no_use() -> None:
    for code in ("content", "backend"):
        refusal = refusal_of(FailedTaskError(TaskFailure(code, "it broke")))
        assert refusal.headers["X-Fal-Retryable"] == "false"
