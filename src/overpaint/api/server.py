"""Runs the application under uvicorn: one process, ready to stop within seconds of being asked.

On SIGTERM or SIGINT it takes no new connection, ends held calls and streams, stops the service and returns.
"""

import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from overpaint.api.closing import Closing

GRACE_S = 2
BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen.

    Args:
        host: address.
        port: 0 takes a free one.
        certificate: PEM, for https.
        key: PEM.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """Either http or https."""
        return "https" if self.certificate else "http"

    def url(self, port: int | None = None) -> str:
        """What a client on this machine reaches it by."""
        host = "localhost" if self.host in ("0.0.0.0", "::", "127.0.0.1", "::1") else self.host  # noqa: S104
        return f"{self.scheme}://{host}:{port or self.port}"


class Server(uvicorn.Server):
    """uvicorn, told of the end in time and telling when it listens.

    Args:
        app: with `closing` in its state.
        listen: where.
        on_listening: called once with the real port.
    """

    def __init__(self, app: FastAPI, listen: Listen, on_listening: Callable[[int], None] = lambda _port: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=listen.host,
                port=listen.port,
                ssl_certfile=listen.certificate,
                ssl_keyfile=listen.key,
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=GRACE_S,
                proxy_headers=False,
            )
        )
        self._closing: Closing = app.state.closing
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell the port."""
        await super().startup(sockets)
        if not self.should_exit:
            self._on_listening(self.servers[0].sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends held calls at once, a second one everything."""
        self._closing.begin()
        if sig == signal.SIGINT and self.should_exit:
            self.force_exit = True
        self.should_exit = True
        del frame
