"""Stored files as answers: whole, piece by piece, to readers of every kind."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.types import Message

from overpaint.api.file_answer import FileAnswer
from overpaint.core.errors import BackendError, TaskNotFoundError
from overpaint.outputs.local import LocalOutputs
from overpaint.outputs.memory import MemoryOutputs
from overpaint.service.files import Files
from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio
SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}
MIB = 1024 * 1024


class Reader:
    """Takes so many messages, then goes away."""

    def __init__(self, patience: int = 10**6) -> None:
        self.told: list[Message] = []
        self._patience = patience
        self._gone = asyncio.Event()

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.told.append(message)
        await asyncio.sleep(0.01)
        if len(self.told) >= self._patience:
            self._gone.set()


@pytest.mark.parametrize("num_bytes", [0, 1, 5 * MIB + 1])
async def test_a_file_comes_whole_and_in_pieces(tmp_path: Path, num_bytes: int) -> None:
    outputs, reader, data = LocalOutputs(tmp_path), Reader(), (b"\x89PNG\r\n\x1a\n" + bytes(num_bytes))[:num_bytes]
    await outputs.put("outputs/a/0.png", data, "image/png")
    await FileAnswer(Files(outputs), "outputs/a/0.png", {"X-A": "b"})(SCOPE, reader.receive, reader.send)
    headers = dict(reader.told[0]["headers"])
    assert (headers[b"content-length"], headers[b"x-a"]) == (b"%d" % num_bytes, b"b")
    assert headers[b"content-type"] == (b"image/png" if num_bytes > 8 else b"application/octet-stream")
    pieces = [message.get("body", b"") for message in reader.told[1:]]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= MIB


async def test_nothing_more_is_read_for_a_reader_that_has_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outputs, reader, num_read = LocalOutputs(tmp_path), Reader(patience=3), 0
    await outputs.put("outputs/a/0.png", bytes(50 * MIB), "image/png")
    whole = LocalOutputs._next

    def counted(*args: object) -> bytes:
        nonlocal num_read
        num_read += 1
        return whole(*args)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(LocalOutputs, "_next", counted)
    await FileAnswer(Files(outputs), "outputs/a/0.png")(SCOPE, reader.receive, reader.send)
    assert num_read < 10


async def test_a_disk_that_fails_in_the_middle_does_not_look_like_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outputs, reader = LocalOutputs(tmp_path), Reader()
    await outputs.put("outputs/a/0.png", bytes(5 * MIB), "image/png")
    whole = LocalOutputs._next

    def failing(*args: object) -> bytes:
        if len(reader.told) > 2:
            raise BackendError("the output folder failed")
        return whole(*args)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(LocalOutputs, "_next", failing)
    with pytest.raises(BackendError):
        await FileAnswer(Files(outputs), "outputs/a/0.png")(SCOPE, reader.receive, reader.send)
    assert reader.told[-1]["more_body"]


async def test_a_file_that_is_gone_is_told_before_anything_is_sent() -> None:
    reader = Reader()
    with pytest.raises(TaskNotFoundError, match="no such file"):
        await FileAnswer(Files(MemoryOutputs()), "outputs/a/0.png")(SCOPE, reader.receive, reader.send)
    assert reader.told == []


async def test_links_are_read_and_looked_at(world: World, png: bytes) -> None:
    answer = await world.http.post("/overpaint/v1/files", files={"file": png})
    url = answer.json()["url"]
    read, looked = await world.nobody.get(url), await world.nobody.head(url)
    assert (read.status_code, read.content) == (200, png)
    assert (looked.status_code, looked.content) == (200, b"")
    assert _fixed(looked) == _fixed(read)
    assert read.headers["content-length"] == str(len(png))
    assert read.headers["access-control-allow-origin"] == "*"
    world.stand_in.content.clear()
    gone = await world.nobody.get(url)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")
    assert (await world.nobody.head(url)).status_code == 404


def _fixed(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}
