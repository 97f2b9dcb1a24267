"""Replicate's words to a draft and back, without a server."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.datastructures import Headers

from overpaint.api.dialects.replicate.convert import hold_s, to_draft, to_input, to_webhook, upload_id_of
from overpaint.api.dialects.replicate.errors import render_error
from overpaint.api.dialects.replicate.pages import PAGES, name_of_version, openapi_schema, version_of
from overpaint.api.dialects.replicate.routes import claims
from overpaint.api.dialects.replicate.schemas import CreateInput, PaintingInput
from overpaint.api.dialects.replicate.tell import to_prediction
from overpaint.api.errors import MissingFieldError, UnknownFieldError, status_of
from overpaint.api.public_url import Links
from overpaint.core.errors import AccessError, BudgetError, OverpaintError, RateLimitError, RequestError
from overpaint.core.events import Progress
from overpaint.core.request import AdapterRef, OutputSpec
from overpaint.core.sizes import Size
from overpaint.core.task import Priority, StoredFile, Task, TaskFailure, TaskSpec, TaskState
from overpaint.service.catalogue import ModelEntry
from overpaint.service.clock import SystemClock
from overpaint.service.draft import Draft, PictureBytes
from overpaint.service.links import FileLinks
from tests.unit.api.conftest import World

WORDS, EDIT, TWO, ANY = "qwen/qwen-image", "qwen/qwen-image-edit", "qwen/qwen-image-2", "overpaint/qwen-image-2.0"
LINKS = Links("http://here", "/replicate", FileLinks(b"0123456789abcdef", SystemClock()))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def draft(name: str, *pictures: PictureBytes, **given: Any) -> Draft:
    asked = {"prompt": "a cat", **given}
    return to_draft(to_input(asked, name), name, ModelEntry(name, name, ""), pictures, asked)


def task(name: str = TWO, state: TaskState = TaskState.QUEUED, **given: Any) -> Task:
    wording = draft(name, **given).wording
    spec = TaskSpec("m", "a cat", 7, wording=wording)
    return Task("a" * 32, "key_1", "replicate", spec, state, Priority.INTERACTIVE, 0, 1, NOW)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        (WORDS, {}, {"size": 16 / 9, "output": OutputSpec("webp", 80), "enhance": False}),
        (WORDS, {"image_size": "optimize_for_speed"}, {"size": Size(1024, 576)}),
        (WORDS, {"aspect_ratio": "2:3", "image_size": "optimize_for_speed"}, {"size": Size(683, 1024)}),
        (WORDS, {"guidance": 4, "num_inference_steps": 9}, {"true_cfg_scale": 4.0, "negative_prompt": " ", "steps": 9}),
        (WORDS, {"guidance": 0, "negative_prompt": ""}, {"true_cfg_scale": 1.0, "negative_prompt": None}),
        (EDIT, {}, {"size": None, "output": OutputSpec("webp", 95)}),
        (EDIT, {"aspect_ratio": "1:1", "output_format": "jpg", "output_quality": 0}, {"size": 1.0}),
        (TWO, {}, {"size": 1.0, "output": OutputSpec("png"), "enhance": True}),
        (TWO, {"image": "https://x/a.png", "match_input_image": True}, {"size": None}),
        (TWO, {"image": "https://x/a.png", "aspect_ratio": "1:2"}, {"size": 0.5}),
        (TWO, {"num_outputs": 4, "size": "1024x1024", "guidance": "much"}, {"num_images": 1, "true_cfg_scale": None}),
        (
            ANY,
            {"num_outputs": 3, "seed": 5, "go_fast": True},
            {"num_images": 3, "seed": 5, "size": None, "acceleration": "regular"},
        ),
        (ANY, {"seed": None, "image": None}, {"seed": -1}),
        (WORDS, {"seed": 2**32 - 1}, {"seed": 2**31 - 1}),
        (
            WORDS,
            {"lora_weights": "a/b", "lora_scale": 0.5, "extra_lora_weights": ["c/d", "e/f"], "extra_lora_scale": [2]},
            {"adapters": (AdapterRef("a/b", 0.5), AdapterRef("c/d", 2.0), AdapterRef("e/f", 1.0))},
        ),
    ],
)
def test_inputs_are_understood_with_the_defaults_of_their_page(
    name: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    made = draft(name, PictureBytes(b"p"), **given)
    assert {key: getattr(made, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        (TWO, {"prompt": None}, "prompt"),
        (TWO, {"aspect_ratio": "16:10"}, "aspect_ratio"),
        (EDIT, {"aspect_ratio": "2:1"}, "aspect_ratio"),
        (WORDS, {"image_size": "huge"}, "image_size"),
        (WORDS, {"strength": 0.8}, "strength"),
        (WORDS, {"output_format": "gif"}, "output_format"),
        (WORDS, {"output_quality": 101}, "output_quality"),
        (WORDS, {"seed": True}, "seed"),
    ],
)
def test_what_cannot_be_honoured_is_named(name: str, given: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        draft(name, PictureBytes(b"p"), **given)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [(None, 0), ("", 0), ("respond-async", 0), ("wait", 58), ("wait=5", 5), ("wait = 0", 1), ("wait=600", 58)],
)
def test_a_call_is_held_as_long_as_it_prefers_and_shorter_than_the_clients_bear(
    prefer: str | None, seconds: float
) -> None:
    assert hold_s(prefer) == seconds


@pytest.mark.parametrize(
    ("url", "upload_id"),
    [
        (f"http://here/replicate/v1/files/{'a' * 32}", "a" * 32),
        (f"http://here/v1/files/{'a' * 32}/download?x=1", "a" * 32),
        (f"http://here/replicate/v1/files/{'a' * 31}", None),
        (f"http://here/v1/files/{'a' * 32}/photo.png", None),
        (f"http://here/cdn/v1/files/{'a' * 32}", None),
        (f"http://here.example/v1/files/{'a' * 32}", None),
        (f"https://elsewhere/v1/files/{'a' * 32}", None),
        ("https://x/a.png", None),
        (f"data:/v1/files/{'a' * 32}", None),
        ("http://[/v1/files/", None),
    ],
)
def test_an_own_file_is_known_by_its_url(url: str, upload_id: str | None) -> None:
    assert upload_id_of(url, LINKS) == upload_id


def test_a_version_is_found_by_id_and_by_name() -> None:
    names = [*PAGES, ANY]
    for name in names:
        assert name_of_version(version_of(name), names) == name
        assert name_of_version(f"{name}:{version_of(name)}", names) == name
    assert len({version_of(name) for name in names}) == len(names)
    assert name_of_version(EDIT, names) == EDIT
    assert name_of_version(f"{EDIT}:{'0' * 64}", names) is None
    assert name_of_version("0" * 64, names) is None


@pytest.mark.parametrize("name", [*PAGES, ANY])
def test_a_schema_names_what_the_model_takes(name: str) -> None:
    schemas = openapi_schema(name)["components"]["schemas"]
    assert set(schemas["Input"]["properties"]) <= set(PaintingInput.model_fields)
    assert schemas["Input"]["required"] == ["prompt"]
    for key, described in schemas["Input"]["properties"].items():
        if "default" in described:
            draft(name, PictureBytes(b"p"), **{key: described["default"]})
        if key == "aspect_ratio":
            for shape in described["enum"]:
                draft(name, PictureBytes(b"p"), aspect_ratio=shape)


def test_a_prediction_tells_its_input_progress_and_end() -> None:
    shown = to_prediction(task(seed=7), LINKS, [], Progress("a" * 32, "denoise", 4, 10))
    assert (shown.status, shown.output, shown.model, shown.version) == ("starting", None, TWO, version_of(TWO))
    assert shown.input == {"prompt": "a cat", "seed": 7}
    assert shown.logs == "Using seed: 7\n 40%|####      | 4/10\n"
    assert shown.created_at == "2026-01-01T00:00:00.000000Z"
    assert shown.urls.get == f"http://here/replicate/v1/predictions/{'a' * 32}"
    done = replace(task(state=TaskState.SUCCEEDED), finished_at=NOW)
    assert to_prediction(done, LINKS, ["data:x"]).output == "data:x"
    assert to_prediction(replace(done, spec=task(EDIT).spec), LINKS, ["data:x"]).output == ["data:x"]


@pytest.mark.parametrize(
    ("state", "is_held", "status"),
    [
        (TaskState.RUNNING, False, "processing"),
        (TaskState.RUNNING, True, "starting"),
        (TaskState.FAILED, True, "failed"),
        (TaskState.CANCELLED, True, "canceled"),
    ],
)
def test_a_call_that_was_held_in_vain_is_starting(state: TaskState, is_held: bool, status: str) -> None:
    failed = replace(task(state=state), failure=TaskFailure("backend", "on fire") if status == "failed" else None)
    shown = to_prediction(failed, LINKS, [], is_held=is_held)
    assert (shown.status, shown.error) == (status, "on fire" if status == "failed" else None)


def test_pictures_of_an_input_come_back_as_links_in_the_models_form() -> None:
    picture = StoredFile("inputs/x", "image/png", 1, 1, 1)
    one, some = (replace(task(name), spec=replace(task(name).spec, pictures=(picture,))) for name in (EDIT, ANY))
    assert to_prediction(one, LINKS, []).input["image"].startswith("http://here/files/inputs/x?")
    assert isinstance(to_prediction(some, LINKS, []).input["image"], list)


def test_a_task_of_another_dialect_is_shown_too() -> None:
    other = replace(task(), spec=TaskSpec("qwen-image-2.0", "a dog", 1))
    shown = to_prediction(other, LINKS, [])
    assert (shown.model, shown.input) == (ANY, {"prompt": "a dog"})


def test_what_is_no_input_of_the_model_is_told_by_name_and_not_kept() -> None:
    given: dict[str, Any] = {"prompt": "a cat", "num_outputs": 1, "mask": "data:image/png;base64," + "A" * 9999}
    wording = draft(EDIT, PictureBytes(b"p"), **given).wording
    assert "AAAA" not in str(wording)
    shown = to_prediction(replace(task(), spec=TaskSpec("qwen-image-2.0", "a cat", 1, wording=wording)), LINKS, [])
    assert shown.input == {"prompt": "a cat"}
    assert shown.logs.splitlines()[:2] == [
        f"Ignored num_outputs: it is no input of {EDIT}",
        f"Ignored mask: it is no input of {EDIT}",
    ]


def test_names_of_what_is_ignored_are_kept_within_bounds() -> None:
    wording = draft(EDIT, PictureBytes(b"p"), **{f"{at}{'x' * 999}": 1 for at in range(999)}).wording
    assert len(str(wording)) < 2000


def test_a_webhook_needs_the_event_that_is_told() -> None:
    url = "https://example.com/"
    assert to_webhook(CreateInput(webhook=url, webhook_events_filter=["start", "completed"])) == url
    assert to_webhook(CreateInput(webhook_completed=url)) == url
    assert to_webhook(CreateInput(webhook_events_filter=["logs"])) is None
    with pytest.raises(RequestError, match="webhook_events_filter"):
        to_webhook(CreateInput(webhook=url, webhook_events_filter=["logs"]))


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (MissingFieldError("prompt"), 422, "- input: prompt is required\n"),
        (
            UnknownFieldError("images", "y", "is not taken"),
            422,
            "- Additional property images is not allowed (images: 'y' is not taken)\n",
        ),
        (RequestError("image[1]", "y", "is damaged"), 422, "- input.image[1]: 'y' is damaged\n"),
        (RequestError("webhook_url", "y", "is bad"), 422, "- webhook: 'y' is bad\n"),
        (AccessError("an API key is needed"), 401, "an API key is needed"),
        (BudgetError("spent"), 402, "spent"),
        (RateLimitError("slow", 30), 429, "Request was throttled. Your rate limit resets in ~30s. (slow)"),
    ],
)
def test_errors_are_problem_details(error: OverpaintError, status: int, detail: str) -> None:
    response = render_error(status_of(error), error)
    body = json.loads(bytes(response.body))
    assert (response.status_code, body["status"], body["detail"]) == (status, status, detail)
    assert body["title"]
    assert ("invalid_fields" in body) == (status == 422)


@pytest.mark.parametrize(
    ("path", "headers", "is_ours"),
    [
        ("/v1/models", {"User-Agent": "replicate-python/1.0.7"}, True),
        ("/v1/models/qwen/qwen-image-2", {"User-Agent": "replicate-javascript/1.4.0"}, True),
        ("/v1/files/x", {"Authorization": "Bearer r8_abc"}, True),
        ("/v1/files", {"User-Agent": "AsyncReplicate/Python 2.0.0b4"}, True),
        ("/v1/files", {"User-Agent": "OpenAI/Python 3.52.0", "Authorization": "Bearer op_x"}, False),
        ("/v1/models/Qwen/Qwen-Image-2.1", {}, False),
        ("/v1/models/qwen/qwen-image-2/predictions", {}, True),
        ("/v1/models/qwen/qwen-image-2/versions/abc", {}, True),
        ("/v1/images/edits", {"User-Agent": "replicate-python/1.0.7"}, False),
    ],
)
def test_shared_paths_are_told_apart_by_client_and_token(path: str, headers: dict[str, str], is_ours: bool) -> None:
    assert claims(path, Headers(headers)) == is_ours


@pytest.mark.anyio
async def test_what_is_no_input_of_the_model_is_not_said_to_be_one(world: World, png: bytes) -> None:
    """Only fields of the model's own input stand below `input`."""
    sent = [
        await world.http.get("/replicate/v1/predictions", params={"cursor": "x"}),
        await world.http.post(f"/replicate/v1/models/{WORDS}/predictions", json={"input": "a cat"}),
        await world.http.post("/replicate/v1/files", files={"content": ("a.png", png)}, data={"metadata": "[]"}),
    ]
    named = [answer.json()["invalid_fields"][0]["field"] for answer in sent]
    assert named == ["cursor", "input", "metadata"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"Host": "api.replicate.com"}, "results"),
        ({"Host": "api.openai.com", "User-Agent": "replicate-python/1.0.7"}, "data"),
        ({"User-Agent": "replicate-javascript/1.4.0"}, "results"),
        ({}, "data"),
    ],
)
async def test_models_are_those_of_the_host_else_of_the_client(
    world: World, headers: dict[str, str], field: str
) -> None:
    answer = await world.http.get("/v1/models", headers=headers)
    assert answer.status_code == 200
    assert answer.json()[field]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "value"),
    [("disable_safety_checker", "[" * 260 + "]" * 260), ("extra_lora_scale", "[NaN]"), ("go_fast", '{"a": {}}')],
)
async def test_what_could_not_be_told_again_is_not_stored(world: World, name: str, value: str) -> None:
    """One such prediction would break every list that it is on."""
    body = f'{{"input": {{"prompt": "a cat", "{name}": {value}}}}}'
    refused = await world.http.post(f"/replicate/v1/models/{WORDS}/predictions", content=body)
    assert refused.status_code == 422
    assert refused.json()["invalid_fields"][0]["field"].startswith(f"input.{name}")
    assert (await world.http.get("/replicate/v1/predictions")).json()["results"] == []


@pytest.mark.anyio
async def test_a_further_adapter_is_told_by_its_place_in_its_field(world: World) -> None:
    async def refuse(*_: object) -> None:
        raise RequestError("adapters[1]", "c/d", "is no adapter of this server")

    world.stand_in.submit.submit = refuse
    body = {"input": {"prompt": "a cat", "lora_weights": "a/b", "extra_lora_weights": ["c/d"]}}
    (wrong,) = (await world.http.post(f"/replicate/v1/models/{WORDS}/predictions", json=body)).json()["invalid_fields"]
    assert wrong["field"] == "input.extra_lora_weights[0]"
    assert wrong["description"].startswith("extra_lora_weights[0]: 'c/d' is no adapter")


@pytest.mark.anyio
async def test_a_stream_that_the_server_ends_has_an_error_and_an_end(world: World) -> None:
    world.stand_in.step_s = 60
    made = await world.http.post(f"/replicate/v1/models/{WORDS}/predictions", json={"input": {"prompt": "a cat"}})
    watching = asyncio.ensure_future(world.nobody.get(made.json()["urls"]["stream"]))
    await asyncio.sleep(0.1)
    world.closing.begin()
    *_, error, done, _ = (await watching).text.split("\n\n")
    assert "event: error\ndata: the server stops" in error
    assert done == 'id: stop:done\nevent: done\ndata: {"reason":"error"}'
