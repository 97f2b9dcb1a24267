"""An HTTP proxy that leads vendors' host names to this server, for clients whose hosts are written into them.

Takes ``CONNECT host:443`` (RFC 9110, 9.3.6) for the host names of the dialects and connects to this server's own TLS
port; everybody else is refused, so that it is no open proxy. It sees no byte of what is said inside.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

log = logging.getLogger(__name__)
HEAD_S = 10.0
CHUNK_BYTES = 64 * 1024
LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - who listens everywhere is reached here
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass(slots=True)
class Tunnel:
    """Where to lead whom.

    Args:
        hosts: names that are led here.
        host: address that the server listens on.
        port: its port; 0 until it is known.
    """

    hosts: frozenset[str]
    host: str
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            refusal = self._refusal(head)
            if refusal:
                writer.write(_answer(refusal))
                await writer.drain()
            else:
                await self._lead(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            log.debug("a tunnel ended: %s", exc)
        finally:
            await _close(writer)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(LOCAL.get(self.host, self.host), self.port)
        writer.write(ESTABLISHED)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, back))
                group.create_task(_pump(there, writer))
        except* OSError as group_error:
            log.debug("a tunnel broke: %s", group_error.exceptions[0])
        finally:
            await _close(back)

    def _refusal(self, head: bytes) -> str | None:
        """Why a request is not led anywhere."""
        method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
        host, _, port = rest.partition(" ")[0].rpartition(":")
        if method != "CONNECT":
            return "405 Method Not Allowed"
        return None if host.lower() in self.hosts and port == "443" else "403 Forbidden"


@asynccontextmanager
async def open_tunnel(tunnel: Tunnel, host: str, port: int) -> AsyncIterator[int]:
    """Listen; gives the port.

    Raises:
        OSError: it is taken.
    """
    server = await asyncio.start_server(tunnel.serve, host, port, limit=CHUNK_BYTES)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def host_names(entries: Sequence[str]) -> frozenset[str]:
    """The names alone of what `Dialect.hosts` holds."""
    return frozenset(entry.partition("/")[0] for entry in entries)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Carry bytes until one side ends, and end the other."""
    while data := await source.read(CHUNK_BYTES):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


def _answer(status: str) -> bytes:
    words = b"this proxy leads to Overpaint only\n"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(words)}\r\nConnection: close\r\n\r\n".encode() + words


async def _close(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.close()
        await writer.wait_closed()
