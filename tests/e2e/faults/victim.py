"""A server that is killed and started again on the same port and folder, as a service manager would."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

READY_S = 300.0
LEASE_S = 3.0
"""Short, so that the tasks of a killed process come back while the test still looks."""


@dataclass
class Victim:
    """A server to be hurt.

    Args:
        folder: its data, and its log.
        model: what paints; empty is the bundled checkpoint.
        database: URL; None is SQLite in the folder.
        log_dir: where its log goes; not on the disk that is going to be full.
    """

    folder: Path
    model: str
    database: str | None = None
    log_dir: Path | None = None
    port: int = field(default_factory=lambda: _free_port())
    key: str = ""
    num_starts: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return (self.log_dir or self.folder) / "server.log"

    @property
    def store_url(self) -> str:
        return self.database or f"sqlite:///{self.folder / 'overpaint.db'}"

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def start(self) -> None:
        """Start it; the first time waits for its key."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "overpaint", "serve", "--port", str(self.port)]
        command += ["--data-dir", str(self.folder), *(["--model", self.model] if self.model else [])]
        command += ["--database", self.database] if self.database else []
        settings = {"OVERPAINT_ALLOWED_HOSTS": "127.0.0.1", "OVERPAINT_LEASE_S": str(LEASE_S), "OVERPAINT_PAGE": "0"}
        settings |= {"OMP_NUM_THREADS": "1"}
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | settings)
        self.num_starts += 1
        if not self.key:
            self.key = self._first_key()

    def kill(self, target: str) -> None:
        """Send SIGKILL to the ``"engine"``, the ``"api"`` process, or ``"both"``; start what nobody supervises."""
        engines = self.engines()
        if target in ("engine", "both"):
            for engine in engines:
                with suppress(psutil.NoSuchProcess):
                    engine.kill()
        if target in ("api", "both"):
            assert self.process is not None
            self.process.kill()
            self.process.wait()
            psutil.wait_procs(engines, timeout=15)
            self.start()

    def engines(self) -> list[psutil.Process]:
        """The engine's processes; none while it is between two lives."""
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children()
            return [child for child in children if any("spawn_main" in word for word in _words(child))]
        return []

    def readiness(self) -> dict[str, Any] | None:
        """What `/health/ready` says; None when nobody answers."""
        try:
            answer = httpx.get(f"{self.url}/health/ready", trust_env=False, timeout=10)
        except httpx.TransportError:
            return None
        return answer.json() | {"status": answer.status_code}

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            found = self.readiness()
            if found and found["status"] == 200:
                return
            time.sleep(0.1)
        raise AssertionError(f"not ready: {self.readiness()}\n{self.log.read_text()[-3000:]}")

    def wait_red(self, part: str, timeout_s: float = 20) -> str:
        """Wait until readiness names a problem with `part`, and return its words."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            found = self.readiness()
            if found and part in found["problems"]:
                assert found["status"] == 503
                return str(found["problems"][part])
            time.sleep(0.1)
        raise AssertionError(f"{part} stays green: {self.readiness()}")

    def stop(self) -> float:
        """Ask it to stop, and tell how long it took."""
        assert self.process is not None
        started_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.monotonic() - started_s

    def end(self) -> None:
        """Leave nothing running, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _first_key(self) -> str:
        deadline_s = time.monotonic() + READY_S
        while time.monotonic() < deadline_s:
            if made := re.search(r"this once: (\S+)", self.log.read_text()):
                return made[1]
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())


@contextmanager
def running(victim: Victim) -> Iterator[Victim]:
    """Start it and wait until it is ready; end it afterwards."""
    try:
        victim.start()
        victim.wait_ready()
        yield victim
    finally:
        victim.end()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
