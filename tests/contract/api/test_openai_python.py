"""OpenAI's Python client 3.52.0, unmodified, against a real server process."""

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from PIL import Image

from tests.contract.api.conftest import LOCAL, RunningServer, wait_until
from tests.contract.api.faulty_proxy import faulty_proxy
from tests.contract.api.gate import ALL, Gate
from tests.contract.api.test_wavespeed_python import data_uri

SMALL: Any = {"size": "256x256", "extra_body": {"num_inference_steps": 4}}
FAST: dict[str, Any] = {"num_inference_steps": 4}


_OPEN: list[OpenAI] = []


@pytest.fixture(autouse=True)
def closed_clients() -> Iterator[None]:
    """Every client of a test is closed after it."""
    yield
    while _OPEN:
        _OPEN.pop().close()


def sdk(server: RunningServer, url: str | None = None, **options: Any) -> OpenAI:
    usual: Any = {"base_url": f"{url or server.url}/openai/v1", "api_key": server.key, "max_retries": 0}
    client = OpenAI(**(usual | options))
    _OPEN.append(client)
    return client


def picture_of(item: Any) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(item.b64_json)))


def linked_picture(item: Any) -> Image.Image:
    with Image.open(io.BytesIO(httpx.get(item.url, trust_env=False).raise_for_status().content)) as opened:
        return opened.copy()


def png_of(color: str | tuple[int, ...], size: tuple[int, int] = (400, 384), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, "PNG")
    return buffer.getvalue()


def half_mask(size: tuple[int, int] = (400, 384)) -> bytes:
    """Transparent in its left half."""
    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1]))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


def num_tasks(server: RunningServer, key: str) -> int:
    with server.client(key) as http:
        return len(http.get("/overpaint/v1/tasks").json()["tasks"])


def test_1_two_pictures_of_the_asked_size_with_every_value_resolved(server: RunningServer) -> None:
    answer = sdk(server).images.generate(prompt="a cat", model="gpt-image-2", n=2, size="1536x864", extra_body=FAST)
    assert answer.data is not None
    assert [picture_of(item).size for item in answer.data] == [(1536, 864)] * 2
    assert (answer.size, answer.background, answer.quality) == ("1536x864", "opaque", "high")
    assert answer.output_format == "png"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert all(item.url is None for item in answer.data)


def test_2_transparency_is_webp_with_alpha_and_refused_for_jpeg(server: RunningServer) -> None:
    images = sdk(server).images
    answer = images.generate(prompt="a cat", background="transparent", output_format="webp", **SMALL)
    assert answer.data is not None
    picture = picture_of(answer.data[0])
    assert (picture.format, picture.mode, answer.background) == ("WEBP", "RGBA", "transparent")
    with pytest.raises(openai.BadRequestError) as caught:
        images.generate(prompt="a cat", background="transparent", output_format="jpeg", **SMALL)
    assert caught.value.param == "background"


def test_3_one_picture_as_an_open_file(server: RunningServer, png: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png)
    with file.open("rb") as stream:
        answer = sdk(server).images.edit(image=stream, prompt="make it blue", **SMALL)
    assert answer.data is not None
    assert picture_of(answer.data[0]).size == (256, 256)


def test_4_several_pictures_keep_their_order_and_the_mask_is_for_the_first(server: RunningServer) -> None:
    pictures = [png_of("red"), png_of("lime", (300, 200)), png_of("blue", (200, 300))]
    answer = sdk(server).images.edit(image=pictures, mask=half_mask(), prompt="a sky", extra_body={"seed": 5, **FAST})
    assert answer.data is not None
    painted = picture_of(answer.data[0]).convert("RGB")
    assert painted.size == (400, 384), "a masked edit has the sides of the first picture"
    assert painted.getpixel((399, 10)) == (255, 0, 0), "what the mask does not show is the first picture's, to the byte"
    assert painted.getpixel((0, 10)) != (255, 0, 0)
    with server.client() as http:
        (task,) = http.get("/overpaint/v1/tasks", params={"limit": 1}).json()["tasks"]
    assert task["prompt"] == "a sky"


def test_5_raw_bytes_are_known_by_their_content(server: RunningServer, png: bytes) -> None:
    answer = sdk(server).images.edit(image=png, prompt="make it blue", **SMALL)
    assert answer.data


def test_6_a_mask_of_other_sides_is_refused_by_name(server: RunningServer, png: bytes) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk(server).images.edit(image=png, mask=half_mask((64, 64)), prompt="make it blue", **SMALL)
    assert caught.value.param == "mask"
    with pytest.raises(openai.BadRequestError, match="transparent where"):
        sdk(server).images.edit(image=png, mask=png_of("white"), prompt="make it blue", **SMALL)


@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
def test_7_a_stream_has_looks_and_then_the_picture_with_its_usage(
    server: RunningServer, png: bytes, kind: str, gate: Gate
) -> None:
    asked: Any = {"prompt": gate.words, "stream": True, "partial_images": 2, "size": "256x256"}
    images = sdk(server).images
    gate.open(1)
    events: list[Any] = []
    for event in images.generate(**asked) if kind == "image_generation" else images.edit(image=png, **asked):
        events.append(event)
        gate.open(1 if len(events) == 1 else ALL)
    assert [event.type for event in events] == [f"{kind}.partial_image"] * 2 + [f"{kind}.completed"]
    assert [event.partial_image_index for event in events[:-1]] == [0, 1]
    assert all(picture_of(event).size[0] > 0 for event in events)
    assert picture_of(events[-1]).size == (256, 256)
    assert events[-1].usage.output_tokens == 256
    assert (events[-1].background, events[-1].quality, events[-1].size) == ("opaque", "high", "256x256")


def test_7_without_looks_there_is_the_picture_alone(server: RunningServer) -> None:
    events = list(sdk(server).images.generate(prompt="a cat", stream=True, n=2, **SMALL))
    assert [event.type for event in events] == ["image_generation.completed"] * 2


def test_8_a_failure_inside_a_stream_is_an_api_error_with_its_code(telltale: RunningServer) -> None:
    stream = sdk(telltale).images.generate(prompt="break the engine", stream=True, partial_images=1)
    with pytest.raises(openai.APIError, match="on fire") as caught:
        list(stream)
    assert caught.value.code == "backend"


def test_8_what_is_wrong_before_the_first_event_is_plain_json(server: RunningServer) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk(server).images.generate(prompt="a cat", stream=True, partial_images=9)
    assert caught.value.param == "partial_images"


@pytest.mark.parametrize("is_edit", [False, True])
def test_9_extra_fields_count_in_both_encodings_and_a_seed_repeats_the_bytes(
    server: RunningServer, png: bytes, is_edit: bool
) -> None:
    images = sdk(server).images

    def paint(**extra: Any) -> str:
        asked: dict[str, Any] = {"prompt": "a cat", "size": "256x256", "extra_body": FAST | extra}
        answer = images.edit(image=png, **asked) if is_edit else images.generate(**asked)
        assert answer.data is not None
        return str(answer.data[0].b64_json)

    assert paint(seed=7, negative_prompt="x") == paint(seed=7, negative_prompt="x")
    assert paint(seed=7) != paint(seed=8)


def test_10_a_bad_key_has_a_request_id(server: RunningServer) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        sdk(server, api_key="op_wrong").images.generate(prompt="a cat")
    request_id = caught.value.request_id
    assert request_id
    assert caught.value.code == "invalid_api_key"
    wait_until(lambda: request_id in server.log.read_text())  # a line is written after its answer


def test_10_too_many_requests_are_tried_again_when_the_answer_says(server: RunningServer) -> None:
    key = server.new_key(requests_per_minute=120)
    refusal = (429, {"retry-after-ms": "10", "content-type": "application/json"}, b'{"error":{"message":"slow"}}')
    with faulty_proxy(server.url, ["refused"], refusal) as proxy:
        answer = sdk(server, proxy.url, api_key=key, max_retries=2).images.generate(prompt="a cat", **SMALL)
    assert answer.data
    assert (proxy.posts, num_tasks(server, key)) == (2, 1)


def test_10_a_failure_after_work_is_not_tried_again(telltale: RunningServer) -> None:
    key = telltale.new_key()
    with pytest.raises(openai.InternalServerError, match="on fire"):
        sdk(telltale, api_key=key, max_retries=2).images.generate(prompt="break the engine")
    assert num_tasks(telltale, key) == 1


@pytest.mark.parametrize("fault", ["lost answer", "refused"])
def test_a_retry_of_the_client_never_paints_twice(server: RunningServer, fault: Any) -> None:
    key = server.new_key()
    with faulty_proxy(server.url, [fault]) as proxy:
        answer = sdk(server, proxy.url, api_key=key, max_retries=2).images.generate(prompt="a cat", size="256x256")
    assert answer.data
    assert (proxy.posts, num_tasks(server, key)) == (2, 1)


def test_a_stream_that_was_left_is_painted_once_all_the_same(server: RunningServer, gate: Gate) -> None:
    key = server.new_key()
    images = sdk(server, api_key=key).images
    gate.open(1)
    stream = images.generate(prompt=gate.words, size="256x256", stream=True, partial_images=1)
    next(iter(stream))
    stream.close()
    wait_until(lambda: stream.response.headers["x-request-id"] in server.log.read_text())  # it heard of it
    gate.open()
    assert images.generate(prompt=gate.words, size="256x256").data
    assert num_tasks(server, key) == 1


def test_a_call_that_takes_too_long_is_given_its_own_task_when_it_is_sent_again(impatient: RunningServer) -> None:
    key = impatient.new_key()
    answer = sdk(impatient, api_key=key, max_retries=5).images.generate(prompt="a cat", size="256x256")
    assert answer.data
    assert num_tasks(impatient, key) == 1


def test_11_null_is_the_default(server: RunningServer) -> None:
    answer = sdk(server).images.generate(prompt="a cat", size=None, n=None, extra_body=FAST)
    assert answer.data is not None
    assert len(answer.data) == 1
    assert answer.size == "1024x1024"


def test_12_a_variation_is_painted(server: RunningServer) -> None:
    with pytest.deprecated_call():
        answer = sdk(server).images.create_variation(image=png_of("red", (256, 256)), n=1, size="512x512")
    assert answer.data is not None
    assert linked_picture(answer.data[0]).size == (512, 512)


def test_scripts_for_the_older_models_read_a_link(server: RunningServer) -> None:
    answer = sdk(server).images.generate(
        model="dall-e-3", prompt="a cat", size="1024x1024", quality="hd", style="vivid"
    )
    assert answer.data is not None
    assert linked_picture(answer.data[0]).size == (1024, 1024)


def test_models_are_listed_and_found_and_others_are_not(server: RunningServer) -> None:
    client = sdk(server)
    names = [model.id for model in client.models.list()]
    assert {"qwen-image-2.0", "gpt-image-2", "Qwen/Qwen-Image-2.1"} <= set(names)
    assert client.models.retrieve("Qwen/Qwen-Image-2.1").id == "Qwen/Qwen-Image-2.1"
    with pytest.raises(openai.NotFoundError) as caught:
        client.images.generate(prompt="a cat", model="gpt-nothing")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_json_edit_names_pictures_by_url_and_by_file(server: RunningServer, png: bytes) -> None:
    client = sdk(server)
    file = client.files.create(file=("red apple.png", png, "image/png"), purpose="vision")
    assert (file.filename, file.bytes, file.purpose) == ("red_apple.png", len(png), "vision")
    assert client.files.content(file.id).read() == png
    assert file.id in [one.id for one in client.files.list()]
    mask = "data:image/png;base64," + base64.b64encode(half_mask()).decode()
    body = {
        "prompt": "a sky",
        "images": [{"file_id": file.id}, {"image_url": data_uri(png_of("lime"))}],
        "mask": {"image_url": mask},
        **FAST,
    }
    answer = client.post("/images/edits", body=body, cast_to=object)
    painted = Image.open(io.BytesIO(base64.b64decode(answer["data"][0]["b64_json"])))  # pyright: ignore[reportIndexIssue]
    assert painted.convert("RGB").getpixel((399, 10)) == (255, 0, 0)
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_the_clients_own_path_works_without_a_prefix(server: RunningServer) -> None:
    client = sdk(server, base_url=f"{server.url}/v1")
    assert client.images.generate(prompt="a cat", **SMALL).data
    assert client.models.list().data


# What users of vLLM-Omni and SGLang send.


def test_omni_1_and_2_steps_guidance_and_seed_count_as_numbers_and_as_text(server: RunningServer, png: bytes) -> None:
    extra = {"num_inference_steps": 3, "true_cfg_scale": 2.5, "seed": 11, "negative_prompt": "rain"}
    sdk(server).images.generate(prompt="one", size="256x256", extra_body=extra)
    sdk(server).images.edit(image=png, prompt="two", size="256x256", extra_body=extra)
    with server.client() as http:
        tasks = http.get("/overpaint/v1/tasks", params={"limit": 2}).json()["tasks"]
    assert [(task["prompt"], task["seed"]) for task in tasks] == [("two", 11), ("one", 11)]


def test_omni_3_pictures_may_be_urls_alone(server: RunningServer, png: bytes) -> None:
    form = [("prompt", "make it blue"), ("size", "256x256"), ("num_inference_steps", "4")]
    with server.client() as http:
        url = http.post("/overpaint/v1/files", files={"file": ("a.png", png)}).json()["url"]
        answer = http.post("/v1/images/edits", data=dict(form) | {"url[]": [url, data_uri(png)]}, files={})
        missing = http.post("/v1/images/edits", data=dict(form))
    assert answer.status_code == 200, answer.text
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "image")


def test_omni_4_both_names_of_a_mask_are_the_same(server: RunningServer, png: bytes) -> None:
    def paint(name: str, mask: bytes) -> bytes:
        form = {"prompt": "a sky", "seed": "3", "num_inference_steps": "4", "response_format": "file"}
        with server.client() as http:
            return http.post("/v1/images/edits", data=form, files={"image": png, name: mask}).raise_for_status().content

    white = Image.new("L", (400, 384), 0)
    white.paste(255, (0, 0, 200, 384))
    buffer = io.BytesIO()
    white.save(buffer, "PNG")
    assert paint("mask", half_mask()) == paint("mask_image", half_mask()) == paint("mask_image", buffer.getvalue())


def test_omni_5_a_file_is_the_picture_and_two_are_a_zip(server: RunningServer) -> None:
    body = {"prompt": "a cat", "size": "256x256", "response_format": "file", **FAST}
    with server.client() as http:
        one = http.post("/v1/images/generations", json=body)
        two = http.post("/v1/images/generations", json=body | {"n": 2})
    assert one.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(one.content)).size == (256, 256)
    assert zipfile.ZipFile(io.BytesIO(two.content)).namelist() == ["image_0.png", "image_1.png"]


def test_omni_6_a_url_can_be_fetched_and_so_can_the_content_by_id(server: RunningServer) -> None:
    body = {"prompt": "a cat", "size": "256x256", "response_format": "url", **FAST}
    with server.client() as http:
        answer = http.post("/v1/images/generations", json=body).json()
        content = http.get(f"/v1/images/{answer['id']}/content", params={"variant": 0})
        gone = http.get(f"/v1/images/{answer['id']}/content", params={"variant": 1})
    picture = httpx.get(answer["data"][0]["url"], trust_env=False)
    assert picture.content == content.content
    assert gone.status_code == 404


def test_omni_7_width_and_height_go_before_size(server: RunningServer) -> None:
    extra = {"width": 320, "height": 256, **FAST}
    assert sdk(server).images.generate(prompt="a cat", size="1024x1024", extra_body=extra).size == "320x256"


@pytest.mark.parametrize("lora", [{"path": "a/b"}, json.dumps({"path": "a/b"})])
def test_omni_8_an_adapter_is_refused_by_name_in_both_forms(server: RunningServer, png: bytes, lora: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="adapter") as caught:
        sdk(server).images.edit(image=png, prompt="a cat", extra_body={"lora": lora})
    assert caught.value.param == "lora"


def test_omni_8_an_adapter_changes_the_picture_in_both_forms(server: RunningServer, png: bytes) -> None:
    forms: list[Any] = [{"path": LOCAL}, json.dumps({"name": "label", "path": LOCAL}), None]
    extras = [FAST | ({"lora": lora} if lora else {}) | {"seed": 3} for lora in forms]
    first, again, plain = (
        sdk(server).images.edit(image=png, prompt="a cat", extra_body=extra).data[0].b64_json  # type: ignore[index]
        for extra in extras
    )
    assert first == again != plain


@pytest.mark.parametrize("extra", [{"num_inference_steps": -1}, {"n": -1}, {"n": 0}, {"layers": 3}])
def test_omni_9_what_cannot_be_is_refused_by_name(server: RunningServer, extra: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk(server).images.generate(prompt="a cat", extra_body=extra)
    assert caught.value.param == next(iter(extra))


def test_omni_11_webp(server: RunningServer) -> None:
    answer = sdk(server).images.generate(prompt="a cat", output_format="webp", output_compression=60, **SMALL)
    assert answer.data is not None
    assert picture_of(answer.data[0]).format == "WEBP"
