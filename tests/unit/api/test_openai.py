"""OpenAI's words to a draft and back, without a server."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from overpaint.api.dialects.openai.body import form_fields
from overpaint.api.dialects.openai.convert import Kind, to_answer, to_draft, to_wanted
from overpaint.api.dialects.openai.errors import render_error
from overpaint.api.dialects.openai.schemas import Image, ImageInput
from overpaint.api.errors import FailedTaskError, MissingFieldError, UnfinishedTaskError, UnknownFieldError, status_of
from overpaint.api.form import Form
from overpaint.api.json_body import validated
from overpaint.core.errors import (
    AccessError,
    BackendError,
    BudgetError,
    CancelledTaskError,
    OverpaintError,
    RateLimitError,
    RequestError,
    TaskNotFoundError,
)
from overpaint.core.request import AdapterRef, OutputSpec
from overpaint.core.sizes import Size
from overpaint.core.task import Priority, StoredFile, Task, TaskFailure, TaskOutput, TaskSpec, TaskState
from overpaint.service.catalogue import ModelEntry
from overpaint.service.draft import Draft, PictureBytes
from tests.unit.api.conftest import World

ENTRY = ModelEntry("gpt-image-2", "qwen-image-2.0", "", steps=40)
PICTURE = PictureBytes(b"a picture")


def draft(kind: Kind = "generation", entry: ModelEntry = ENTRY, **fields: Any) -> Draft:
    body = validated(ImageInput, {"prompt": "a cat", **fields})
    return to_draft(body, entry, kind, () if kind == "generation" else (PICTURE,))


def test_what_is_left_out_or_null_is_the_models_choice() -> None:
    empty = draft()
    assert empty == draft(size=None, n=None, seed=None, quality=None, background=None, stream=None, lora=None)
    assert empty == draft(size="auto", n=1, seed=-1, quality="auto", background="auto")
    assert empty == draft(seed=[])
    assert (empty.size, empty.num_images, empty.seed, empty.true_cfg_scale) == (None, 1, -1, None)
    assert empty.output == OutputSpec("png", 100, "auto")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"size": "1536x864"}, {"size": "1536x864"}),
        ({"width": 640, "height": 320, "size": "auto"}, {"size": Size(640, 320)}),
        ({"quality": "low"}, {"steps": 20}),
        ({"quality": "medium"}, {"steps": 30}),
        ({"quality": "hd"}, {"steps": 40}),
        ({"quality": "low", "num_inference_steps": 7}, {"steps": 7}),
        ({"seed": 2**31 + 5}, {"seed": 5}),
        ({"seed": [4, 5]}, {"seed": 4}),
        ({"seed": "12345678"}, {"seed": 12345678}),
        ({"seed": "aB3dE9xZ"}, {"seed": 797147798}),
        ({"true_cfg_scale": 4}, {"true_cfg_scale": 4.0, "negative_prompt": " "}),
        ({"guidance_scale": 0.5}, {"true_cfg_scale": 1.0, "negative_prompt": None}),
        ({"true_cfg_scale": 3, "guidance_scale": 9, "negative_prompt": "x"}, {"true_cfg_scale": 3.0}),
        ({"lora": {"path": "a/b", "scale": 0.5}}, {"adapters": (AdapterRef("a/b", 0.5),)}),
        ({"output_format": "jpg", "output_compression": 0}, {"output": OutputSpec("jpeg", 1)}),
        ({"output_format": "webp", "background": "transparent"}, {"output": OutputSpec("webp", 100, "transparent")}),
        ({"output_format": "jpeg", "output_quality": "medium"}, {"output": OutputSpec("jpeg", 55)}),
        ({"output_format": "jpeg", "output_quality": "default"}, {"output": OutputSpec("jpeg", 100)}),
        ({"output_format": "jpeg", "output_quality": "30"}, {"output": OutputSpec("jpeg", 30)}),
        (
            {"output_format": "jpeg", "output_quality": "low", "output_compression": 9},
            {"output": OutputSpec("jpeg", 9)},
        ),
        ({"enhance_prompt": True}, {"enhance": True}),
        ({"enable_cache_dit": True}, {"acceleration": "regular"}),
        ({"enable_teacache": False}, {"acceleration": "none"}),
        ({"style": "vivid", "moderation": "low", "layers": None, "strength": ""}, {}),
    ],
)
def test_fields_are_understood(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    made = draft(**fields)
    assert {name: getattr(made, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"quality": "best"}, "quality"),
        ({"background": "green"}, "background"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_compression": 101}, "output_compression"),
        ({"output_quality": "best"}, "output_quality"),
        ({"seed": -2}, "seed"),
        ({"seed": [1, 3]}, "seed"),
        ({"n": True}, "n"),
        ({"width": 512}, "height"),
        ({"layers": 4}, "layers"),
        ({"true_cfg_scale": -1}, "true_cfg_scale"),
        ({"lora": {"scale": 1}}, "lora.path"),
        ({"enable_upscaling": True}, "enable_upscaling"),
        ({"markup": "https://example.com/a.png"}, "markup"),
    ],
)
def test_what_cannot_be_honoured_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        draft(**fields)
    assert caught.value.field == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"seed": "1.5"}, "seed"),
        ({"seed": ["many"]}, "seed[0]"),
        ({"image": 5}, "image"),
        ({"image": [5]}, "image[0]"),
        ({"images": [{"image_url": {"url": "https://example.com/a.png"}}]}, "images[0].image_url"),
        ({"mask": 5}, "mask"),
        ({"mask": {"file_id": 5}}, "mask.file_id"),
        ({"lora": {"scale": "much"}}, "lora.scale"),
    ],
)
def test_a_field_that_may_be_of_several_kinds_is_named_as_it_was_sent(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        draft(**fields)
    assert caught.value.field == param


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownFieldError, match="steps"):
        draft(steps=4)


def test_prompt_and_picture_are_required_where_they_are() -> None:
    with pytest.raises(MissingFieldError, match="prompt"):
        draft(prompt=None)
    with pytest.raises(MissingFieldError, match="image"):
        to_draft(ImageInput(prompt="x"), ENTRY, "edit", ())
    assert draft("variation", prompt=None).prompt


def test_a_mask_is_read_by_its_holes_and_vllms_by_either() -> None:
    body = ImageInput(prompt="x")
    assert to_draft(body, ENTRY, "edit", (PICTURE,), mask=PICTURE).mask_meaning == "holes"
    other = to_draft(body, ENTRY, "edit", (PICTURE,), mask_image=PICTURE)
    assert (other.mask, other.mask_meaning) == (PICTURE, "either")


def test_a_form_is_the_same_body() -> None:
    texts = {
        "prompt": ("a cat",),
        "n": ("2",),
        "stream": ("true",),
        "url[]": ("https://example.com/a.png", "https://example.com/b.png"),
        "lora[path]": ("a/b",),
        "lora[scale]": ("0.5",),
        "extra_params": ('{"seed": 3}',),
        "seed": ("[4, 5]",),
        "user": ("",),
    }
    fields = form_fields(Form(texts, {}))
    assert fields["lora"] == {"path": "a/b", "scale": "0.5"}
    assert fields["url"] == ["https://example.com/a.png", "https://example.com/b.png"]
    assert fields["seed"] == [4, 5]
    assert fields["extra_params"] == {"seed": 3}
    assert "user" not in fields


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (("lora", "lora[path]"), "lora"),
        (("lora[path]", "lora"), "lora"),
        (("prompt", "prompt[x]"), "prompt"),
        (("image", "image[foo]"), "image"),
        (("image[foo]", "image[]"), "image[]"),
    ],
)
def test_a_field_of_a_form_is_a_text_or_an_object(names: tuple[str, str], wrong: str) -> None:
    with pytest.raises(RequestError) as raised:
        form_fields(Form(dict.fromkeys(names, ("x",)), {}))
    assert raised.value.field == wrong


@pytest.mark.anyio
async def test_a_stream_that_the_server_ends_has_an_error(world: World) -> None:
    world.stand_in.step_s = 60
    asked = {"prompt": "a cat", "size": "64x64", "stream": True}
    watching = asyncio.ensure_future(world.http.post("/openai/v1/images/generations", json=asked))
    await asyncio.sleep(0.1)
    world.closing.begin()
    text = (await watching).text
    assert text.startswith("event: error\ndata: {")
    assert "the server stops" in json.loads(text.partition("data: ")[2])["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"partial_images": 4}, "generation", "partial_images"),
        ({"stream": True, "response_format": "url"}, "generation", "stream"),
        ({"stream": True}, "variation", "stream"),
        ({"response_format": "svg"}, "generation", "response_format"),
    ],
)
def test_how_it_cannot_be_answered_is_said(fields: dict[str, Any], kind: Kind, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        to_wanted(validated(ImageInput, fields), kind)
    assert caught.value.field == param


@pytest.mark.parametrize(
    ("fields", "kind", "expected"),
    [
        ({}, "generation", "b64_json"),
        ({"model": "gpt-image-1"}, "edit", "b64_json"),
        ({"model": "dall-e-3"}, "generation", "url"),
        ({"model": "dall-e-2", "response_format": None}, "edit", "url"),
        ({"model": "dall-e-3", "response_format": "b64_json"}, "generation", "b64_json"),
        ({"model": "dall-e-3", "stream": True}, "generation", "b64_json"),
        ({}, "variation", "url"),
    ],
)
def test_where_pictures_are_when_nothing_is_said_goes_by_the_model(
    fields: dict[str, Any], kind: Kind, expected: str
) -> None:
    assert to_wanted(validated(ImageInput, fields), kind).response_format == expected


def test_an_answer_has_every_value_resolved() -> None:
    file = StoredFile("outputs/x/0.webp", "image/webp", 9, 512, 256)
    reference = StoredFile("inputs/y", "image/png", 9, 64, 48)
    spec = TaskSpec("gpt-image-2", "twelve chars", 1, "more words", pictures=(reference,), output=OutputSpec("webp"))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    task = Task("a" * 32, "k", "openai", spec, TaskState.SUCCEEDED, Priority.INTERACTIVE, 0, 1, now)
    task = replace(task, outputs=(TaskOutput(file, 1),), finished_at=now)
    wanted = to_wanted(ImageInput(quality="auto", user="me"), "edit")
    body = to_answer(task, wanted, [Image(b64_json="abc")], is_transparent=True).model_dump()
    assert body == {
        "id": "a" * 32,
        "created": 1767225600,
        "background": "transparent",
        "output_format": "webp",
        "quality": "high",
        "size": "512x256",
        "data": [{"b64_json": "abc", "url": None, "revised_prompt": "more words"}],
        "usage": {
            "total_tokens": 3 + 12 + 512,
            "input_tokens": 3 + 12,
            "output_tokens": 512,
            "input_tokens_details": {"text_tokens": 3, "image_tokens": 12},
            "output_tokens_details": {"text_tokens": 0, "image_tokens": 512},
        },
        "safety_identifier": "me",
    }


@pytest.mark.parametrize(
    ("error", "status", "code", "param", "again"),
    [
        (RequestError("num_images", 9, "must be 1 to 6"), 400, "invalid_value", "n", None),
        (UnknownFieldError("x", 1, "is not taken"), 400, "unknown_parameter", "x", None),
        (UnknownFieldError("steps", 4, "is not taken"), 400, "unknown_parameter", "steps", None),
        (MissingFieldError("prompt"), 400, "missing_required_parameter", "prompt", None),
        (AccessError("this API key is not valid"), 401, "invalid_api_key", None, None),
        (TaskNotFoundError("model: 'x' is not a model of this server"), 404, "model_not_found", "model", "false"),
        (RateLimitError("slow down", 0.5), 429, "rate_limit_exceeded", None, None),
        (BudgetError("spent"), 429, "insufficient_quota", None, "false"),
        (BackendError("away"), 503, "backend", None, None),
        (CancelledTaskError(), 409, "cancelled", None, "false"),
        (FailedTaskError(TaskFailure("backend", "on fire")), 500, "backend", None, "false"),
        (FailedTaskError(TaskFailure("content", "no")), 400, "moderation_blocked", None, "false"),
        (UnfinishedTaskError("not yet"), 504, "timeout", None, "true"),
    ],
)
def test_errors_have_openais_words_and_say_whether_to_try_again(
    error: OverpaintError, status: int, code: str, param: str | None, again: str | None
) -> None:
    response = render_error(status_of(error), error)
    body = json.loads(bytes(response.body))["error"]
    assert (response.status_code, body["code"], body["param"]) == (status, code, param)
    assert response.headers.get("x-should-retry") == again
    assert body["type"]
    if isinstance(error, RequestError):
        assert body["message"].startswith(f"{param}: ")
    if isinstance(error, RateLimitError):
        assert response.headers["retry-after-ms"] == "500"
