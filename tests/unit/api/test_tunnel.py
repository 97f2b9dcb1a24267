"""The proxy for clients with fixed hosts: leads known names to one place, and nobody anywhere else."""

import asyncio

import pytest

from overpaint.api.tunnel import Tunnel, host_names, open_tunnel

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers in capitals once the other side has said everything."""
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


async def ask(head: str, then: bytes = b"") -> bytes:
    there = await asyncio.start_server(_shout, "127.0.0.1", 0)
    tunnel = Tunnel(host_names(["api.acme.com", "cdn.acme.com/cdn"]), "0.0.0.0", there.sockets[0].getsockname()[1])
    async with there, open_tunnel(tunnel, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + b"\r\nHost: x\r\n\r\n")
        if then:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            writer.write(then)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer


@pytest.mark.parametrize("host", ["api.acme.com", "cdn.acme.com", "CDN.acme.com"])
async def test_a_known_name_is_led_to_the_server(host: str) -> None:
    assert await ask(f"CONNECT {host}:443 HTTP/1.1", b"hello" * 50_000) == b"HELLO" * 50_000


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("CONNECT example.com:443 HTTP/1.1", 403),
        ("CONNECT api.acme.com:22 HTTP/1.1", 403),
        ("CONNECT api.acme.com HTTP/1.1", 403),
        ("CONNECT  HTTP/1.1", 403),
        ("GET http://api.acme.com/ HTTP/1.1", 405),
        ("\x00", 405),
    ],
)
async def test_everything_else_is_refused(head: str, status: int) -> None:
    assert (await ask(head)).startswith(f"HTTP/1.1 {status} ".encode())


async def test_a_server_that_is_gone_ends_the_connection() -> None:
    async with open_tunnel(Tunnel(frozenset({"a.b"}), "127.0.0.1", 1), "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"CONNECT a.b:443 HTTP/1.1\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
