"""Posts to a real server on this machine, through the guard and around it."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpcore2
import pytest

from overpaint.core.errors import BackendError
from overpaint.images.fetch_rules import AddressRules
from overpaint.service.outgoing import HttpSender

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def receiver(answer: bytes, heard: list[bytes]) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        heard.append(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=1"


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


async def test_a_body_arrives_to_the_byte() -> None:
    heard: list[bytes] = []
    async with receiver(OK, heard) as url:
        sender = HttpSender(AddressRules(("127.0.0.0/8",)))
        assert await sender.post(url, {"X-Sign": "abc"}, b'{"a":1}', 5) == 200
    assert heard[0].startswith(b"POST /hook?a=1 HTTP/1.1\r\n")
    assert heard[0].endswith(b'\r\n\r\n{"a":1}')
    assert b"X-Sign: abc" in heard[0]


async def test_a_webhook_to_the_inside_is_refused_and_nothing_is_sent() -> None:
    heard: list[bytes] = []
    async with receiver(OK, heard) as url:
        with pytest.raises(BackendError, match="not public"):
            await HttpSender(AddressRules()).post(url, {}, b"", 5)
    assert heard == []


async def test_a_configured_service_may_be_anywhere() -> None:
    async with receiver(OK, []) as url:
        assert await HttpSender(None).post_json(url, {}, b"", 5) == b"{}"


async def test_a_configured_services_name_is_not_looked_up_on_the_threads_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those are few, and a resolver that is silent keeps one for minutes."""
    threads: list[str] = []
    look_up = socket.getaddrinfo

    def noting(*args: Any, **named: Any) -> Any:
        threads.append(threading.current_thread().name)
        return look_up(*args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    async with receiver(OK, []) as url:
        assert await HttpSender(None).post_json(url.replace("127.0.0.1", "localhost"), {}, b"", 5) == b"{}"
    assert threads == ["overpaint-resolver"]


class HalfDeadNetwork(httpcore2.AsyncNetworkBackend):
    """One address never answers."""

    _real = cast(httpcore2.AsyncNetworkBackend, httpcore2.AnyIOBackend())

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any) -> Any:  # noqa: ASYNC109
        if host != "127.0.0.1":
            await asyncio.sleep(60 if timeout is None else timeout / 100)
            raise httpcore2.ConnectTimeout
        return await self._real.connect_tcp(host, port, timeout)


async def test_a_silent_address_of_several_leaves_time_for_the_next() -> None:
    async def two(host: str, port: int) -> list[str]:
        assert (host, port > 0) == ("hooks.example", True)
        return ["127.0.0.2", "127.0.0.1"]

    async with receiver(OK, []) as url:
        sender = HttpSender(AddressRules(("127.0.0.0/8",)), two, backend=HalfDeadNetwork())
        assert await sender.post(url.replace("127.0.0.1", "hooks.example"), {}, b"", 2) == 200


async def test_redirects_are_an_answer_and_no_invitation() -> None:
    moved = b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with receiver(moved, []) as url:
        assert await HttpSender(None).post(url, {}, b"", 5) == 302
        with pytest.raises(BackendError, match="302"):
            await HttpSender(None).post_json(url, {}, b"", 5)


async def test_a_status_counts_although_the_body_behind_it_breaks_off() -> None:
    """It was taken: whoever says so and then counts its bytes wrongly need not be told thirty times."""
    async with receiver(OK.replace(b"2\r", b"100\r"), []) as url:
        assert await HttpSender(None).post(url, {}, b"", 5) == 200
        with pytest.raises(BackendError):
            await HttpSender(None).post_json(url, {}, b"", 5)


async def test_silence_and_refusal_are_told() -> None:
    gone = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        with pytest.raises(BackendError, match=r"within 0\.2 s"):
            await HttpSender(None).post(url, {}, b"", 0.2)
        await gone.wait()
    with pytest.raises(BackendError):
        await HttpSender(None).post(url, {}, b"", 5)
    with pytest.raises(BackendError, match="http or https"):
        await HttpSender(None).post("ftp://x", {}, b"", 5)
