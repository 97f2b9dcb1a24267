"""DashScope's Python client 2.0.2, unmodified (1.x classes, Aio classes, 2.x client), against a real server process.

Numbers are those of the conformance list that the dialect was built from.
"""

import asyncio
import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dashscope
import httpx
import openai
import pytest
from dashscope import ImageSynthesis, MultiModalConversation
from dashscope.aigc.image_generation import ImageGeneration
from dashscope.aigc.image_synthesis import AioImageSynthesis
from dashscope.api_entities.aio_session import close_shared_aio_session
from dashscope.common.error import UploadFileException
from dashscope.v2 import errors as v2
from PIL import Image

from tests.contract.api.conftest import RunningServer
from tests.contract.api.faulty_proxy import faulty_proxy
from tests.contract.api.gate import Gate
from tests.contract.api.telltale import BROKEN

EDIT = "qwen-image-edit-plus"

# Typed as an answer or a stream of answers; which of them it is, an argument says.
CONVERSATION: Any = MultiModalConversation
GENERATION: Any = ImageGeneration
SYNTHESIS: Any = ImageSynthesis


@pytest.fixture(autouse=True)
def pointed(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    point(server, monkeypatch)


def point(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two lines of the guide."""
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{server.url}/dashscope/api/v1")
    monkeypatch.setattr(dashscope, "api_key", server.key)


@pytest.fixture
def client(server: RunningServer) -> Iterator[Any]:
    with client_of(server.url, server.key) as made:
        yield made


def client_of(url: str, key: str) -> Any:
    return dashscope.Client(api_key=key, base_url=f"{url}/dashscope/api/v1")


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def turn(*images: str, text: str = "make it blue") -> list[Any]:
    return [{"role": "user", "content": [*({"image": image} for image in images), {"text": text}]}]


def picture(url: str) -> Image.Image:
    return Image.open(io.BytesIO(httpx.get(url, trust_env=False).raise_for_status().content))


def tasks_of(server: RunningServer, key: str) -> int:
    with server.client(key) as http:
        return len(http.get("/overpaint/v1/tasks").json()["tasks"])


def test_1_an_edit_answers_with_pictures_of_the_asked_size(png: bytes) -> None:
    answer = CONVERSATION.call(
        model=EDIT, messages=turn(data_uri(png)), n=2, size="1024*1536", watermark=False, negative_prompt=" "
    )
    assert answer.status_code == 200, answer
    content = answer.output.choices[0].message.content
    assert [picture(part["image"]).size for part in content] == [(1024, 1536)] * 2
    assert picture(content[0]["image"]).format == "PNG"
    assert answer.usage["image_count"] == 2


def test_2_local_files_are_uploaded_with_one_policy(
    server: RunningServer, png: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(png)
    Path("b.png").write_bytes(png)
    before = server.log.read_text()
    answer = CONVERSATION.call(model=EDIT, messages=turn("a.png", "b.png"))
    assert answer.status_code == 200, answer
    seen = server.log.read_text().removeprefix(before)
    assert seen.count("/dashscope/api/v1/uploads") == 1
    assert seen.count("/dashscope/oss") == 2


def test_3_two_files_of_one_name_are_refused(png: bytes, tmp_path: Path) -> None:
    files = [tmp_path / "one" / "x.png", tmp_path / "two" / "x.png"]
    for file in files:
        file.parent.mkdir()
        file.write_bytes(png)
    with pytest.raises(UploadFileException, match="FileAlreadyExists"):
        CONVERSATION.call(model=EDIT, messages=turn(*map(str, files)))


def test_4_synthesis_waits_and_tells_its_times() -> None:
    answer = SYNTHESIS.call(model="qwen-image-plus", prompt="a cat", size="1328*1328")
    assert answer.status_code == 200, answer
    assert answer.output.task_status == "SUCCEEDED"
    assert picture(answer.output.results[0].url).size == (1328, 1328)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", answer.output.submit_time)
    assert answer.output.task_metrics == {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}


@pytest.mark.usefixtures("busy")
def test_5_only_what_waits_can_be_cancelled(secure: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    point(secure, monkeypatch)
    task = SYNTHESIS.async_call(model="qwen-image", prompt="a cat")
    cancelled = SYNTHESIS.cancel(task)
    assert cancelled.status_code == 200, cancelled
    assert SYNTHESIS.fetch(task).output.task_status == "CANCELED"
    again = SYNTHESIS.cancel(task)
    assert (again.status_code, again.code) == (400, "UnsupportedOperation")
    assert "PENDING" in again.message


def test_6_the_aio_classes_with_their_slashes() -> None:
    async def run() -> None:
        done = await AioImageSynthesis.call(model="qwen-image", prompt="a cat")
        assert done.output.task_status == "SUCCEEDED", done
        fetched = await AioImageSynthesis.fetch(done)
        assert fetched.output.results[0].url
        refused = await AioImageSynthesis.cancel(done)
        assert (refused.status_code, refused.code) == (400, "UnsupportedOperation")
        await close_shared_aio_session()

    asyncio.run(run())


def test_7_image_generation_is_a_task_with_choices(png: bytes, gate: Gate) -> None:
    task = GENERATION.async_call(model="wan2.6-image", messages=turn(data_uri(png), text=gate.words))
    assert GENERATION.fetch(task).output.task_status in ("PENDING", "RUNNING")
    gate.open()
    done = GENERATION.wait(task)
    part = done.output.choices[0].message.content[0]
    assert part["type"] == "image"
    assert picture(part["image"]).format == "PNG"


def test_8_what_is_not_there_is_unknown() -> None:
    for task_id in ("nope", "00000000-0000-4000-8000-000000000000"):
        fetched = SYNTHESIS.fetch(task_id)
        assert (fetched.status_code, fetched.output.task_status) == (200, "UNKNOWN")
        assert SYNTHESIS.wait(task_id).output.task_status == "UNKNOWN"


@pytest.mark.parametrize("parameters", [{"n": 7}, {"size": "10*10"}, {"bbox_list": [[[0, 0, 1, 1]]]}])
def test_9_bad_parameters_are_told(png: bytes, parameters: dict[str, Any]) -> None:
    answer = CONVERSATION.call(model=EDIT, messages=turn(data_uri(png)), **parameters)
    assert (answer.status_code, answer.code) == (400, "InvalidParameter"), answer
    assert answer.request_id
    assert next(iter(parameters)) in answer.message


def test_9_keys_and_models_are_told(png: bytes) -> None:
    wrong = CONVERSATION.call(model=EDIT, messages=turn(data_uri(png)), api_key="sk-wrong")
    assert (wrong.status_code, wrong.code) == (401, "InvalidApiKey")
    unknown = CONVERSATION.call(model="nothing", messages=turn(data_uri(png)))
    assert (unknown.status_code, unknown.code) == (404, "ModelNotFound")


def test_10_the_2x_client_generates_and_lists(client: Any) -> None:
    job = client.images.generate(model="qwen-image-2.0-pro", prompt="a cat", size="1024x1024", n=2)
    assert len(job.image_urls) == 2
    assert picture(job.image_urls[0]).size == (1024, 1024)
    listed = client.images.jobs.list(status="SUCCEEDED", model_name="qwen-image-2.0-pro")
    assert job.task_id in [task.task_id for task in listed.tasks]
    assert listed.total >= 1


def test_11_the_2x_client_raises_by_the_code_of_a_failed_job(client: Any) -> None:
    """The null engine takes 512 words; the page of the model allows more, so the task fails for its words."""
    with pytest.raises(v2.BadRequestError) as raised:
        client.images.generate(model="qwen-image-2.0", prompt="a " * 600)
    assert "512" in str(raised.value)


THROTTLED = (
    429,
    {"retry-after-ms": "10", "Content-Type": "application/json"},
    b'{"code": "Throttling.RateQuota", "message": "slow down", "request_id": "r"}',
)


def test_11_a_throttled_submission_is_tried_three_times(server: RunningServer) -> None:
    with faulty_proxy(server.url, ["refused"] * 3, THROTTLED) as proxy, client_of(proxy.url, server.key) as client:
        with pytest.raises(v2.RateLimitError) as raised:
            client.images.jobs.create(model="qwen-image", prompt="a cat")
        assert raised.value.code == "Throttling.RateQuota"
        assert proxy.posts == 3


def test_the_2x_client_s_own_retry_makes_one_task(server: RunningServer) -> None:
    key = server.new_key()
    with faulty_proxy(server.url, ["refused", "lost answer"]) as proxy, client_of(proxy.url, key) as client:
        assert client.images.generate(model="wan2.6-t2i", prompt="a cat").image_urls
        assert proxy.posts == 3
    assert tasks_of(server, key) == 1


def test_a_picture_that_failed_is_not_painted_again_by_a_client_s_retry(server: RunningServer) -> None:
    key = server.new_key()
    base = f"{server.url}/dashscope/compatible-mode/v1"
    with client_of(server.url, key) as client, pytest.raises(v2.DashScopeError, match="on fire"):
        client.images.generate(model="wan2.6-t2i", prompt=BROKEN)
    assert tasks_of(server, key) == 1
    with openai.OpenAI(api_key=key, base_url=base) as flat, pytest.raises(openai.InternalServerError, match="on fire"):
        flat.images.generate(model="qwen-image-3.0", prompt=BROKEN)
    assert tasks_of(server, key) == 2


def test_the_1x_classes_own_retry_makes_one_task(
    server: RunningServer, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = server.new_key()
    with faulty_proxy(server.url, ["lost answer"]) as proxy:
        monkeypatch.setattr(dashscope, "base_http_api_url", f"{proxy.url}/dashscope/api/v1")
        answer = CONVERSATION.call(model=EDIT, messages=turn(data_uri(png)), api_key=key)
        assert answer.status_code == 200, answer
        assert proxy.posts == 2
    assert tasks_of(server, key) == 1


def test_12_a_stream_is_one_answer_and_an_error_is_no_exception(png: bytes) -> None:
    (answer,) = CONVERSATION.call(model=EDIT, messages=turn(data_uri(png)), stream=True)
    assert answer.status_code == 200, answer
    assert answer.output.choices[0].message.content[0]["image"]
    (refused,) = CONVERSATION.call(model=EDIT, messages=turn(data_uri(png)), stream=True, n=7)
    assert (refused.status_code, refused.code) == (400, "InvalidParameter")


def test_sync_call_answers_with_the_results() -> None:
    answer = SYNTHESIS.sync_call(model="qwen-image", prompt="a cat")
    assert answer.status_code == 200, answer
    assert answer.output.results[0].url


def test_a_mask_says_where_a_picture_may_change(png: bytes, tmp_path: Path) -> None:
    base, mask = tmp_path / "base.png", tmp_path / "mask.png"
    base.write_bytes(png)
    Image.new("L", (400, 384), 255).save(mask)
    answer = SYNTHESIS.call(
        model="wanx2.1-imageedit",
        function="description_edit_with_mask",
        prompt="a cat",
        base_image_url=str(base),
        mask_image_url=str(mask),
    )
    assert answer.output.task_status == "SUCCEEDED", answer


def test_the_openai_like_call_by_the_openai_client(server: RunningServer, png: bytes) -> None:
    base = f"{server.url}/dashscope/compatible-mode/v1"
    with openai.OpenAI(api_key=server.key, base_url=base) as client:
        answer = client.images.generate(
            model="qwen-image-3.0", prompt="a cat", size="1024x1024", extra_body={"image": data_uri(png)}
        )
        assert answer.data
        assert picture(str(answer.data[0].url)).size == (1024, 1024)
        with pytest.raises(openai.BadRequestError) as raised:
            client.images.generate(model="qwen-image-3.0", prompt="a cat", n=7)
        assert raised.value.code == "InvalidParameter"
    with openai.OpenAI(api_key="sk-wrong", base_url=base) as client, pytest.raises(openai.AuthenticationError):
        client.images.generate(model="qwen-image-3.0", prompt="a cat")


def test_the_guides_form_is_one_picture(server: RunningServer, png: bytes) -> None:
    body = {"model": "wanx2.0-imageedit", "input": {"image_url": data_uri(png), "prompt": "make it blue"}}
    with server.client() as http:
        answer = http.post("/api/v1/services/aigc/image-generation/generation", json=body)
    assert answer.status_code == 200, answer.text
    (part,) = answer.json()["output"]["choices"][0]["message"]["content"]
    assert picture(part["image"]).format == "PNG"
