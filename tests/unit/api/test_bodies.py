"""Bodies that legal clients send, and that are none of a dialect's business: compressed, no object, half empty."""

import asyncio
import gzip
import json
from collections.abc import Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from overpaint.api.body import BodyLimit
from overpaint.api.dialects import DIALECTS
from overpaint.api.errors import CLIENT_CLOSED
from overpaint.core.errors import CapacityError, OverpaintError, RateLimitError
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
MIB = 1024 * 1024


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


class Crowd:
    """Requests that send bodies and stay, behind one limit of 8 MiB in all."""

    def __init__(self, caller_of: Callable[[str], Caller]) -> None:
        self._limit = BodyLimit(self._read, max_bytes=6 * MIB, max_held_bytes=8 * MIB)
        self._caller_of = caller_of
        self._staying: list[asyncio.Task[None]] = []

    async def send(self, name: str, mib: float) -> None:
        """A request whose body was taken goes on; a refusal is raised."""
        scope: Scope = {
            "type": "http",
            "method": "POST",
            "state": {"caller": self._caller_of(name)},
            "taken": asyncio.Event(),
        }
        pieces = iter([int(mib * MIB / 2)] * 2)

        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(next(pieces))}

        async def send(message: Message) -> None:
            del message

        request = asyncio.ensure_future(self._limit(scope, receive, send))
        taken = asyncio.ensure_future(scope["taken"].wait())
        await asyncio.wait((request, taken), return_when=asyncio.FIRST_COMPLETED)
        if request.done():
            taken.cancel()
            request.result()
        self._staying.append(request)

    async def leave(self) -> None:
        for request in self._staying:
            request.cancel()
        await asyncio.gather(*self._staying, return_exceptions=True)

    @staticmethod
    async def _read(scope: Scope, receive: Receive, send: Send) -> None:
        del send
        for _ in range(2):
            await receive()
        scope["taken"].set()
        await asyncio.Event().wait()


async def test_bodies_have_a_bound_together_and_one_key_half_of_it(world: World) -> None:
    """A key that sent many at once, slowly, made the server hold all of them."""
    keys = {key.name: Caller(key) for key in await world.stand_in.keys.list_keys()}
    crowd = Crowd(lambda name: keys[name])
    await crowd.send("mine", 2)
    await crowd.send("mine", 2)
    with pytest.raises(RateLimitError, match=r"this key .* more than 4 MiB"):
        await crowd.send("mine", 2)
    await crowd.send("mine", 1)  # small ones are never refused
    await crowd.send("other", 2.5)
    with pytest.raises(CapacityError, match="together") as refusal:
        await crowd.send("admin", 3)
    assert not isinstance(refusal.value, RateLimitError)
    await crowd.leave()
    await crowd.send("mine", 4)
    await crowd.send("admin", 4)
    await crowd.leave()


@pytest.mark.parametrize(("error", "status"), [(RateLimitError("x", 2.0), 429), (CapacityError("x"), 503)])
async def test_who_is_refused_for_that_is_told_when_to_try_again(
    world: World, monkeypatch: pytest.MonkeyPatch, error: OverpaintError, status: int
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("overpaint.api.body.HeldBodies.check", refuse)
    for path in PAINT:
        answer = await world.http.post(path, json=PAINT[path] | {"user": "x" * 2 * MIB})
        assert (answer.status_code, answer.headers["retry-after"]) == (status, "2"), path
