"""Requests made to keep a server busy, to fill its memory, or to be read before anybody knows who sends them."""

import asyncio
import json
import logging

import msgpack
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Scope

from overpaint.api.app import create_app
from overpaint.api.config import ApiConfig
from overpaint.api.json_body import MAX_MARKS
from overpaint.api.log import JsonFormatter, configure_logs
from overpaint.service import links
from overpaint.service.links import FileLinks
from tests.unit.api.conftest import World
from tests.unit.api.stand_in import StandIn
from tests.unit.service.world import FakeClock

pytestmark = pytest.mark.anyio
JSON = {"Content-Type": "application/json"}
TASKS = "/overpaint/v1/tasks"


def request_to(path: str, method: str, **headers: str) -> Scope:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    common = {"type": "http", "http_version": "1.1", "scheme": "http", "query_string": b"", "root_path": ""}
    return common | {"method": method, "path": path, "raw_path": path.encode(), "headers": raw, "state": {}}


async def status_without_a_body(app: ASGIApp, path: str, method: str) -> int | None:
    """What answers somebody without a key whose body never comes; None when it is waited for."""
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    scope = request_to(path, method, content_type="application/json", content_length="1000")
    try:
        async with asyncio.timeout(0.5):
            await app(scope, receive, send)
    except TimeoutError:
        return None
    return statuses[0]


@pytest.mark.parametrize(("path", "method"), [("/overpaint/v1/keys", "POST"), ("/overpaint/v1/keys/a/limits", "PUT")])
async def test_nothing_is_read_of_who_has_no_key(world: World, path: str, method: str) -> None:
    assert await status_without_a_body(world.app, path, method) == 401


async def test_limits_are_not_lifted_by_an_empty_body(world: World) -> None:
    answer = await world.admin.put("/overpaint/v1/keys/mine/limits", content=b"")
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "body")
    assert (await world.admin.put("/overpaint/v1/keys/mine/limits", json={})).status_code == 200


@pytest.mark.parametrize("many", ['{"images": [%s[]]}' % ("[]," * MAX_MARKS), '{%s"a": 1}' % ('"b": 1,' * MAX_MARKS)])
@pytest.mark.parametrize("path", [TASKS, "/openai/v1/images/generations", "/fal/run/fal-ai/qwen-image"])
async def test_a_body_of_countless_parts_is_refused_before_it_is_taken_apart(
    world: World, path: str, many: str
) -> None:
    answer = await world.http.post(path, content=many, headers=JSON)
    assert answer.status_code in (400, 422)
    assert f"at most {MAX_MARKS} commas and brackets" in answer.text


async def test_a_long_prompt_of_commas_is_no_such_body(world: World) -> None:
    body = {"prompt": "," * 5000, "negative_prompt": "[{," * 1600}
    assert (await world.http.post(TASKS, json=body)).status_code == 201


@pytest.mark.parametrize("charset", ["punycode", "idna", "no-such"])
async def test_a_form_in_a_character_set_that_is_slow_or_none_is_refused(world: World, charset: str) -> None:
    """Python decodes a megabyte of punycode in hours."""
    body = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na cat\r\n--x--\r\n'
    kind = "multipart/form-data; boundary=x; charset="
    answer = await world.http.post(TASKS, content=body, headers={"Content-Type": kind + charset})
    assert (answer.status_code, f"charset={charset}" in answer.text) == (415, True)
    assert (await world.http.post(TASKS, content=body, headers={"Content-Type": kind + "UTF8"})).is_success


async def test_who_posts_to_dashscopes_storage_without_a_policy_fills_no_memory(world: World) -> None:
    answer = await world.nobody.post("/dashscope/oss", data={"key": "a" * 10_000}, files={"file": b""})
    assert (answer.status_code, "maximum size of 8KB" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "message",
    [
        b"\xdd" + (100_000).to_bytes(4) + b"\x80" * 100_000,
        b"\xdc\x01\x00" + (b"\xdc\x01\x00" + b"\x90" * 256) * 256,
        b"\xdc\x01\x00" + (b"\xdc\x01\x00" + b"\x80" * 256) * 256,
        ("[" + "[]," * MAX_MARKS + "[]]").encode(),
    ],
)
def test_a_message_of_countless_parts_is_refused_before_it_is_taken_apart(message: bytes) -> None:
    """16 MiB of empty maps took a gigabyte, and eight seconds of everybody's."""
    stand_in = StandIn()
    _, secret = asyncio.run(stand_in.keys.create("mine"))
    client = TestClient(create_app(stand_in.service, ApiConfig()))
    opening = client.websocket_connect(
        "/fal/run/fal-ai/qwen-image/realtime", headers={"Authorization": f"Key {secret}"}
    )
    with opening as socket:
        if message.startswith(b"["):
            socket.send_text(message.decode())
        else:
            socket.send_bytes(message)
        told = socket.receive_json()
    assert told["type"] == "x-fal-error"
    assert "must be a MessagePack map" in told["reason"] or "commas and brackets" in told["reason"]


def test_a_url_of_megabytes_is_not_taken_apart_to_see_whether_it_is_a_link_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A query of seven megabytes held everybody up for nine seconds."""
    file_links = FileLinks(b"0" * 32, FakeClock())
    assert file_links.key_of(file_links.link("uploads/a/" + "b" * 500)) is not None
    monkeypatch.setattr(links, "parse_qs", lambda query: pytest.fail(f"took {len(query)} characters apart"))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert file_links.key_of("http://x/files/?" + "a=b&" * 1000) is None


def test_a_line_of_the_log_is_one_line_of_a_terminal_and_tells_it_nothing() -> None:
    record = logging.makeLogRecord({"msg": "a\x1b[2J \x9b2J \u2028 \u202e 猫\n\x7f", "args": ()})
    line = JsonFormatter().format(record)
    assert line.isprintable()
    assert "猫" in line
    assert json.loads(line)["message"] == record.msg


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_key_in_the_address_of_a_connection_comes_into_the_log(level: str, caplog: pytest.LogCaptureFixture) -> None:
    """A WebSocket of a browser has no other place for it, and uvicorn tells the whole address."""
    address = "/fal/run/fal-ai/qwen-image/realtime?fal_jwt_token=op_secret"
    root = logging.getLogger()
    before, was = root.handlers[:], root.level
    try:
        configure_logs(level)
        root.addHandler(caplog.handler)
        logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "127.0.0.1:1", address)
        logging.getLogger("uvicorn.error").debug("< GET %s HTTP/1.1", address)
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    finally:
        root.handlers[:] = before
        root.setLevel(was)
    assert [record.message for record in caplog.records] == ["Invalid HTTP request received."]


def test_pictures_of_a_socket_are_read_by_http() -> None:
    stand_in = StandIn()
    _, secret = asyncio.run(stand_in.keys.create("mine"))
    client = TestClient(create_app(stand_in.service, ApiConfig()))
    opening = client.websocket_connect(
        "/fal/run/fal-ai/qwen-image/realtime", headers={"Authorization": f"Key {secret}"}
    )
    with opening as socket:
        socket.send_json({"prompt": "a cat"})
        told = msgpack.unpackb(socket.receive_bytes())
    assert told["images"][0]["url"].startswith("http://testserver/files/")
