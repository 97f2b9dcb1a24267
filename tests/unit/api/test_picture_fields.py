"""A picture that cannot be used is told by the field that it came in, in every dialect."""

from typing import Any

import pytest

from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio
GOOD, BAD = "https://example.com/a.png", "###"
OPENAI = "/openai/v1/images/edits"
SYNTHESIS = "/dashscope/api/v1/services/aigc/image2image/image-synthesis"
CONVERSATION = "/dashscope/api/v1/services/aigc/multimodal-generation/generation"
COMPATIBLE = "/dashscope/compatible-mode/v1/images/generations"
WAVESPEED = "/api/v3/wavespeed-ai/qwen-image-2.0/edit"
ATLAS = "/atlas/api/v1/model/generateImage"
PIXAZO = "/pixazo/qwen-image-max-edit/v1/qwen-image-max-edit-request"
REPLICATE = "/replicate/v1/models/qwen/{}/predictions"


def turn(*pictures: str) -> dict[str, Any]:
    parts = [{"text": "blue"}, *({"image": picture} for picture in pictures)]
    return {"model": "qwen-image-edit-plus", "input": {"messages": [{"role": "user", "content": parts}]}}


def synthesis(**fields: Any) -> dict[str, Any]:
    return {"model": "qwen-image-edit", "input": {"prompt": "blue", **fields}}


CASES: list[tuple[str, dict[str, Any], str]] = [
    (OPENAI, {"image": BAD}, "image"),
    (OPENAI, {"image": [GOOD, BAD]}, "image[1]"),
    (OPENAI, {"image": GOOD, "images": [{"image_url": GOOD}, {"image_url": BAD}]}, "images[1].image_url"),
    (OPENAI, {"images": [GOOD, BAD]}, "images[1]"),
    (OPENAI, {"image": GOOD, "url": BAD}, "url"),
    (OPENAI, {"image": GOOD, "mask": {"image_url": BAD}}, "mask.image_url"),
    (OPENAI, {"image": GOOD, "mask_image": BAD}, "mask_image"),
    (CONVERSATION, turn(GOOD, BAD), "input.messages[0].content[2].image"),
    (SYNTHESIS, synthesis(base_image_url=BAD), "input.base_image_url"),
    (SYNTHESIS, synthesis(image_url=BAD), "input.image_url"),
    (SYNTHESIS, synthesis(images=[GOOD, BAD]), "input.images[1]"),
    (SYNTHESIS, synthesis(base_image_url=GOOD, mask_image_url=BAD), "input.mask_image_url"),
    (COMPATIBLE, {"model": "qwen-image-edit", "image": BAD}, "image"),
    (WAVESPEED, {"image": BAD}, "image"),
    (WAVESPEED, {"image": GOOD, "images": [GOOD, BAD]}, "images[1]"),
    (ATLAS, {"model": "qwen/qwen-image-2.0/edit", "image": BAD}, "image"),
    (ATLAS, {"model": "qwen/qwen-image-2.0/edit", "images": [GOOD, BAD]}, "images[1]"),
    (PIXAZO, {"image_url": BAD}, "image_url"),
    (PIXAZO, {"image_urls": [GOOD, BAD]}, "image_urls[1]"),
    (REPLICATE.format("qwen-image-edit"), {"input": {"prompt": "blue", "image": BAD}}, "input.image"),
    (REPLICATE.format("qwen-image-edit-plus"), {"input": {"prompt": "blue", "image": [GOOD, BAD]}}, "input.image[1]"),
]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"images": [GOOD, 5]}, "images[1]"),
        ({"images": [5]}, "images[0]"),
        ({"image": 5}, "image"),
    ],
)
async def test_what_is_no_picture_at_all_is_told_by_its_field(world: World, body: dict[str, Any], param: str) -> None:
    error = (await world.http.post(OPENAI, json={"prompt": "blue", **body})).json()["error"]
    assert (error["param"], error["message"].partition(":")[0]) == (param, param)


@pytest.mark.parametrize(("path", "body", "field"), CASES)
async def test_a_picture_is_told_by_its_field(world: World, path: str, body: dict[str, Any], field: str) -> None:
    asked = body if "input" in body else {"prompt": "blue", **body}
    answer = await world.http.post(path, json=asked)
    assert answer.status_code in (400, 422)
    assert f"{field}: '###' must be an http(s) URL" in answer.text
