"""Real server processes to point real clients at: `overpaint serve` with the engine of `telltale`."""

import io
import itertools
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.contract.api.gate import Gate
from tests.reference.lora_bytes import lora_bytes

READY_S = 300.0
STOP_S = 10.0
PATIENCE_S = 60.0
LOCAL, HUB_ID = "pencil", "acme/ink"
"""What the adapters of every server are called."""
TELLTALE = "tests.contract.api.telltale"
_NUMBERS = itertools.count(1)
"""Of keys: their names are unique in a database, and no two processes of tests share one."""


@dataclass
class RunningServer:
    """A server process.

    Args:
        url: where it listens.
        key: the one it made at its first start.
        process: itself.
        log: what it wrote to stdout and stderr.
    """

    url: str
    key: str
    process: subprocess.Popen[bytes]
    log: Path
    data_dir: Path

    @property
    def wavespeed(self) -> str:
        return f"{self.url}/wavespeed"

    @property
    def certificate(self) -> Path:
        """What to trust, of a server that was started with ``--tls-self-signed``."""
        return self.data_dir / "self-signed.crt"

    @property
    def proxy(self) -> str:
        """Where it listens as a proxy for fixed hosts."""
        found = re.search(r"fixed hosts: (\S+)", self.log.read_text())
        assert found
        return found[1].replace("localhost", "127.0.0.1")

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        trusted = ssl.create_default_context(cafile=self.certificate) if self.certificate.exists() else True
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False, verify=trusted)

    def new_key(self, **limits: float) -> str:
        """A key with limits, no admin's."""
        asked = {"name": f"studio {next(_NUMBERS)}", "limits": limits}
        with self.client() as http:
            return http.post("/overpaint/v1/keys", json=asked).raise_for_status().json()["secret"]

    def stop(self) -> float:
        """Ask it to stop and tell how long it took."""
        started_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_S + 20)
        return time.monotonic() - started_s


def start_server(
    folder: Path, *flags: str, model: str = "null:", key: str | None = None, program: str = "overpaint"
) -> RunningServer:
    """Start `overpaint serve` and wait until it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    command = [sys.executable, "-m", program, "serve", "--port", "0", "--data-dir", str(folder), "--model", model]
    environment = os.environ | {"OVERPAINT_ALLOWED_HOSTS": "127.0.0.1,localhost", "OVERPAINT_ADAPTERS": _shelf(folder)}
    with log.open("wb") as out:
        process = subprocess.Popen([*command, *flags], stdout=out, stderr=subprocess.STDOUT, env=environment)
    server = RunningServer("", key or "", process, log, folder)
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s:
        text = log.read_text()
        if process.poll() is not None:
            raise AssertionError(f"the server ended: {text}")
        if url := re.search(r"listens at (\S+)", text):
            server.url = url[1].replace("localhost", "127.0.0.1")
            made = re.search(r"this once: (\S+)", text)
            server.key = made[1] if made else server.key
            if is_ready(server.url):
                return server
        time.sleep(0.1)
    process.kill()
    process.wait()
    raise AssertionError(f"the server is not ready: {log.read_text()}")


def _shelf(folder: Path) -> str:
    """A folder with an adapter, by a name and by a hub's id."""
    for name in (LOCAL, f"{HUB_ID}/pytorch_lora_weights"):
        path = folder / "loras" / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lora_bytes({"transformer_blocks.0.attn.to_q": (8, 6)}))
    return str(folder / "loras")


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", verify=False, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what a server does in its own time; fails after a minute."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Holds what is painted with its words: at any of the servers below, until it is opened or the test is over."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose tasks of the few-step model take about half a second."""
    running = start_server(tmp_path_factory.mktemp("server"), "--no-page", model="null:0.03", program=TELLTALE)
    yield running
    assert running.stop() < STOP_S


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose tasks take three seconds and whose sync calls are held for one."""
    folder, flags = tmp_path_factory.mktemp("impatient"), ("--no-page", "--sync-timeout-s", "1")
    running = start_server(folder, *flags, model="null:0.15", program=TELLTALE)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def secure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with https, a proxy for fixed hosts, large pictures and one task at a time (two are leased)."""
    folder = tmp_path_factory.mktemp("secure")
    settings = folder / "overpaint.toml"
    settings.write_text("tls_self_signed = true\nproxy_port = 0\nmax_picture_mib = 128\nmax_running = 1\n")
    running = start_server(folder, "--config", str(settings), "--no-page", model="null:0.03", program=TELLTALE)
    yield running
    running.stop()


def trusted(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> RunningServer:
    """Have every client that is made in the test trust a server."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(name, str(server.certificate))
    return server


@pytest.fixture
def secure(secure_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> RunningServer:
    """That server, trusted."""
    return trusted(secure_server, monkeypatch)


@pytest.fixture
def busy(secure: RunningServer, gate: Gate) -> Iterator[Gate]:
    """All places of `secure` taken by somebody else: nothing that comes after is started until the gate is opened."""
    with secure.client(secure.new_key()) as http:
        asked = {"prompt": gate.words, "size": "256x256"}
        urls = [http.post("/overpaint/v1/tasks", json=asked).raise_for_status().json()["urls"]["get"] for _ in range(2)]
        wait_until(lambda: all(http.get(url).json()["state"] == "running" for url in urls))
        yield gate


@pytest.fixture(scope="session")
def telltale_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with https and no time to lose; every row of the error matrix is asked of it in every dialect."""
    folder = tmp_path_factory.mktemp("telltale")
    running = start_server(folder, "--tls-self-signed", "--no-page", program=TELLTALE)
    yield running
    running.stop()


@pytest.fixture
def telltale(telltale_server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> RunningServer:
    """That server, trusted."""
    return trusted(telltale_server, monkeypatch)


@pytest.fixture(scope="session")
def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 384), "red").save(buffer, "PNG")
    return buffer.getvalue()
