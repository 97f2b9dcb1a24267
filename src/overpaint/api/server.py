"""Runs the application under uvicorn: one process, ready to stop within seconds of being asked.

On SIGTERM, SIGINT or SIGHUP it takes no new connection, ends held calls and streams, stops the service and returns.
"""

import asyncio
import errno
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from overpaint.api.closing import Closing
from overpaint.api.h2c import WithoutH2c
from overpaint.core.errors import ConfigError

GRACE_S = 2
BACKLOG = 2048
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104
_PORTS_FAULTS = (errno.EADDRINUSE, errno.EACCES)
"""Of those the port is guilty, of any other the host."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen.

    Args:
        host: address.
        port: 0 takes a free one when it is bound.
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

    @property
    def url(self) -> str:
        """What a client on this machine reaches it by."""
        return self._url("localhost" if self.host in (*EVERY_ADDRESS, "127.0.0.1", "::1") else self.host)

    @property
    def outer_url(self) -> str:
        """What a client elsewhere may reach it by: the address, or the machine's name when that is every address."""
        return self._url(socket.gethostname() if self.host in EVERY_ADDRESS else self.host)

    def bind(self) -> "tuple[Listen, socket.socket]":
        """Take the port before anything else is started; the same with the port it is.

        Raises:
            ConfigError: it cannot be had.
        """
        bound = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self.host, self.port))
        except OSError as exc:
            bound.close()
            setting = "port" if exc.errno in _PORTS_FAULTS else "host"
            raise ConfigError(f"{setting}: {self.host}:{self.port} cannot be had ({exc.strerror or exc})") from exc
        return replace(self, port=bound.getsockname()[1]), bound

    def _url(self, host: str) -> str:
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


class Server(uvicorn.Server):
    """uvicorn, told of the end in time and telling when it listens.

    Args:
        app: with `closing` in its state.
        listen: how.
        on_listening: called once.
    """

    def __init__(self, app: FastAPI, listen: Listen, on_listening: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=WithoutH2c,
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
        """Listen, then tell."""
        await super().startup(sockets)
        if not self.should_exit:
            self._stop_at_hangup()
            self._on_listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends held calls at once, a second one everything."""
        if sig == signal.SIGINT and self.should_exit:
            self.force_exit = True
        self.stop()
        del frame

    def _stop_at_hangup(self) -> None:
        """A terminal that is closed ends a server as SIGTERM does; where that is ignored (nohup), it stays so."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.stop)

    def stop(self) -> None:
        """End held calls, and have `serve` return."""
        self._closing.begin()
        self.should_exit = True
