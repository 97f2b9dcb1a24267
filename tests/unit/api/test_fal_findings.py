"""fal's types and contexts of what is wrong with an input: over the rules themselves, whose clauses they are read off.

Source: https://docs.fal.ai/errors
"""

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image

from overpaint.api.app import create_app
from overpaint.api.config import MIB, ApiConfig
from overpaint.api.dialects import DIALECTS
from overpaint.api.dialects.fal.findings import findings_of
from overpaint.core.errors import PictureError, RequestError
from overpaint.images.limits import PictureLimits
from overpaint.service.catalogue import PictureRules
from overpaint.service.draft import PictureBytes
from overpaint.service.pictures import PictureDesk
from tests.unit.service.world import Plan, World, build_world

RUN, QUEUE = "/fal/run/fal-ai", "/fal/queue/fal-ai"
FORMATS = ["jpeg", "png"]


def png(width: int = 64, height: int = 48) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return buffer.getvalue()


def uri(width: int = 64, height: int = 48) -> str:
    return "data:image/png;base64," + base64.b64encode(png(width, height)).decode()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world() -> World:
    return await build_world(Plan(models=tuple(row.models for row in DIALECTS if row.models is not None)))


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    _, secret = await world.service.keys.create("customer")
    app = create_app(world.service, ApiConfig(max_body_bytes=MIB))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Key {secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers) as client:
        yield client


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("app", "fields", "place", "kind", "context"),
    [
        ("qwen-image", {"num_inference_steps": 0}, ["num_inference_steps"], "greater_than_equal", {"ge": 1}),
        ("qwen-image", {"guidance_scale": 21}, ["guidance_scale"], "less_than_equal", {"le": 20}),
        ("qwen-image", {"image_size": {"width": 0}}, ["image_size", "width"], "greater_than", {"gt": 0}),
        ("qwen-image", {"output_format": "tiff"}, ["output_format"], "one_of", {"expected": FORMATS}),
        ("qwen-image", {"loras": [{"path": "a"}] * 4}, ["loras"], "sequence_too_long", {"max_length": 3}),
        ("qwen-image", {"prompt": "x" * 5001}, ["prompt"], "sequence_too_long", {"max_length": 5000}),
        (
            "qwen-image-2/text-to-image",
            {"negative_prompt": "x" * 501},
            ["negative_prompt"],
            "sequence_too_long",
            {"max_length": 500},
        ),
        ("qwen-image-edit-plus", {"image_urls": []}, ["image_urls"], "sequence_too_short", {"min_length": 1}),
        ("qwen-image-2/edit", {"image_urls": [uri()] * 4}, ["image_urls"], "sequence_too_long", {"max_length": 3}),
        (
            "qwen-image-edit",
            {"image_url": uri(8, 8)},
            ["image_url"],
            "image_too_small",
            {"min_height": 16, "min_width": 16},
        ),
        ("qwen-image-edit", {"image_url": "data:image/png;base64,AAAA"}, ["image_url"], "image_load_error", None),
        ("qwen-image-layered", {"image_url": uri()}, ["num_layers"], "feature_not_supported", None),
    ],
)
async def test_what_is_wrong_has_fals_type_and_context_wherever_it_is_told(
    http: httpx.AsyncClient, app: str, fields: dict[str, Any], place: list[str], kind: str, context: Any
) -> None:
    body = {"prompt": "a cat"} | fields
    answer = await http.post(f"{RUN}/{app}", json=body)
    assert (answer.status_code, answer.headers["X-Fal-Retryable"]) == (422, "false"), answer.text
    found = answer.json()["detail"][0]
    assert (found["loc"], found["type"], found.get("ctx")) == (["body", *place], kind, context)
    assert found["url"] == f"https://docs.fal.ai/errors/#{kind}"
    submitted = (await http.post(f"{QUEUE}/{app}", json=body)).json()
    assert (await http.get(submitted["status_url"])).json()["error_type"] == kind
    assert (await http.get(submitted["response_url"])).json() == answer.json()


@pytest.mark.anyio
@pytest.mark.parametrize("body", [{"prompt": "a cat"}, {}], ids=["good", "bad"])
async def test_a_webhook_is_refused_by_fals_name_for_it(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await http.post(f"{QUEUE}/qwen-image", json=body, params={"fal_webhook": "ftp://example.com"})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "fal_webhook"])


@pytest.mark.anyio
async def test_a_link_of_this_server_that_has_expired_is_no_broken_picture(
    world: World, http: httpx.AsyncClient
) -> None:
    link = world.service.links.link("uploads/nobody/0", lifetime_s=-1)
    answer = await http.post(f"{RUN}/qwen-image-edit", json={"prompt": "a", "image_url": f"http://testserver{link}"})
    assert answer.json()["detail"][0]["type"] == "file_download_error"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("limits", "rules", "kind", "context"),
    [
        (PictureLimits(max_pixels=64), PictureRules(), "image_too_large", None),
        (PictureLimits(max_bytes=64), PictureRules(), "file_too_large", {"max_size": 64}),
        (PictureLimits(max_aspect=1), PictureRules(), "image_load_error", None),
        (
            PictureLimits(),
            PictureRules(min_side_px=1, max_side_px=32, is_scaled_down=False),
            "image_too_large",
            {"max_height": 32, "max_width": 32},
        ),
        (
            PictureLimits(),
            PictureRules(min_side_px=384),
            "image_too_small",
            {"min_height": 384, "min_width": 384},
        ),
    ],
)
async def test_the_limits_of_pictures_are_told_by_number(
    limits: PictureLimits, rules: PictureRules, kind: str, context: Any
) -> None:
    nothing: Any = None
    desk = PictureDesk(nothing, nothing, nothing, nothing, limits)
    with pytest.raises(PictureError) as caught:
        await desk.take(nothing, PictureBytes(png()), "image_url", rules)
    (found,) = findings_of(caught.value)
    assert (found["loc"], found["type"], found.get("ctx")) == (["body", "image_url"], kind, context)


@pytest.mark.parametrize(
    ("rules", "count", "kind", "context"),
    [
        (PictureRules(max_count=2), 3, "sequence_too_long", {"max_length": 2}),
        (PictureRules(min_count=1), 0, "sequence_too_short", {"min_length": 1}),
        (PictureRules(max_count=0), 1, "value_error", None),
    ],
)
def test_how_many_pictures_there_may_be_is_told_by_number(
    rules: PictureRules, count: int, kind: str, context: Any
) -> None:
    with pytest.raises(RequestError) as caught:
        rules.check_count(count)
    (found,) = findings_of(caught.value, {"images": "image_urls"})
    assert (found["loc"], found["type"], found.get("ctx")) == (["body", "image_urls"], kind, context)


def test_a_prompt_that_reads_like_a_rule_is_none() -> None:
    error = RequestError("prompt", "must be at most 5 characters", "must not be blank")
    (found,) = findings_of(error)
    assert found["type"] == "value_error"
