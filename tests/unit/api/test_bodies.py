"""Bodies that legal clients send, and that are none of a dialect's business: compressed, no object, half empty."""

import gzip
import json

import pytest
from starlette.types import Message

from overpaint.api.dialects import DIALECTS
from overpaint.api.errors import CLIENT_CLOSED
from overpaint.core.task import Task
from overpaint.service.caller import Caller
from overpaint.service.draft import Draft
from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio
PAINT = {
    "/openai/v1/images/generations": {"prompt": "a cat"},
    "/wavespeed/api/v3/qwen-image-2.0": {"prompt": "a cat"},
    "/segmind/v2/qwen-image": {"prompt": "a cat"},
    "/fal/run/fal-ai/qwen-image": {"prompt": "a cat"},
    "/pixazo/qwen-image-max/v1/qwen-image-max-request": {"prompt": "a cat"},
    "/atlas/api/v1/model/generateImage": {"prompt": "a cat", "model": "qwen-image-2.0"},
    "/replicate/v1/models/qwen/qwen-image/predictions": {"input": {"prompt": "a cat"}},
    "/dashscope/api/v1/services/aigc/text2image/image-synthesis": {"model": "qwen-image", "input": {"prompt": "a cat"}},
    "/overpaint/v1/tasks": {"prompt": "a cat"},
}
JSON = {"Content-Type": "application/json"}


async def test_every_dialect_is_asked() -> None:
    assert all(any(row.owns(path) for path in PAINT) for row in DIALECTS)


@pytest.mark.parametrize("path", PAINT)
async def test_a_compressed_body_is_refused_by_what_it_is(world: World, path: str) -> None:
    packed = gzip.compress(json.dumps(PAINT[path]).encode())
    answer = await world.http.post(path, content=packed, headers=JSON | {"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert "Content-Encoding gzip" in answer.text
    plain = await world.http.post(path, json=PAINT[path], headers={"Content-Encoding": "identity"})
    assert plain.is_success, plain.text


async def test_so_is_a_compressed_form(world: World, png: bytes) -> None:
    form = {"data": {"prompt": "x"}, "files": {"image": png}}
    answer = await world.http.post("/openai/v1/images/edits", **form, headers={"Content-Encoding": "br"})  # type: ignore[arg-type]
    assert (answer.status_code, "Content-Encoding br" in answer.text) == (415, True)


@pytest.mark.parametrize("path", [path for path in PAINT if not path.startswith("/fal/")])
@pytest.mark.parametrize("body", ["[]", "null", '"a cat"'])
async def test_a_body_that_is_no_object_is_told_in_plain_words(world: World, path: str, body: str) -> None:
    """fal's say what pydantic says, as there."""
    answer = await world.http.post(path, content=body, headers=JSON)
    assert answer.status_code in (400, 422)
    assert "must be an object" in answer.text
    assert "instance of" not in answer.text


@pytest.mark.parametrize(
    ("name", "data", "is_sent"), [("", b"", False), ("mask.png", b"", True), ("", b"a mask", True)]
)
async def test_a_file_field_that_a_page_left_empty_is_none(
    world: World, png: bytes, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, is_sent: bool
) -> None:
    """A form of HTML sends it without a name and without bytes."""
    drafts: list[Draft] = []

    async def accept(caller: Caller, draft: Draft) -> Task:
        drafts.append(draft)
        return await world.stand_in.accept(caller, draft)

    monkeypatch.setattr(world.stand_in.submit, "submit", accept)
    parts = [
        ("prompt", "", b"make it blue"),
        ("image", '; filename="a.png"', png),
        ("mask", f'; filename="{name}"', data),
    ]
    lines = [
        f'--cut\r\nContent-Disposition: form-data; name="{field}"{file}\r\n\r\n'.encode() + value + b"\r\n"
        for field, file, value in parts
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    await world.http.post("/openai/v1/images/edits", content=b"".join(lines) + b"--cut--\r\n", headers=headers)
    (draft,) = drafts
    assert (draft.mask is not None, len(draft.pictures)) == (is_sent, 1)


@pytest.mark.parametrize("path", PAINT)
async def test_a_client_that_leaves_before_its_body_is_whole_is_no_bug(
    world: World, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    secret = world.http.headers["authorization"]
    headers = {"authorization": secret, "x-api-key": secret.removeprefix("Bearer "), "content-type": "application/json"}
    arriving = iter([{"type": "http.request", "body": b'{"prompt": ', "more_body": True}, {"type": "http.disconnect"}])
    told: list[Message] = []

    async def receive() -> Message:
        return next(arriving)

    async def send(message: Message) -> None:
        told.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": raw}
    await world.app(scope, receive, send)
    assert told[0]["status"] == CLIENT_CLOSED
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
