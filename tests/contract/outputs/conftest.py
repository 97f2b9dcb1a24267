"""One suite, three adapters: in memory, a folder, a server process that speaks S3."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from overpaint.core.output_ports import OutputStore
from overpaint.outputs.memory import MemoryOutputs
from overpaint.outputs.opening import open_outputs

_START_S = 60


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_for(endpoint)
        make_bucket = urllib.request.Request(f"{endpoint}/pictures", method="PUT")
        urllib.request.urlopen(make_bucket, timeout=30).close()
        yield endpoint
        server.terminate()


def s3_place(endpoint: str, prefix: str) -> str:
    keys = "access_key_id=test&secret_access_key=test&region=us-east-1"
    return f"s3://pictures/{prefix}?endpoint={endpoint}&{keys}"


@pytest.fixture(params=["memory", "local", "s3"])
def outputs(request: pytest.FixtureRequest, tmp_path: Path) -> OutputStore:
    if request.param == "memory":
        return MemoryOutputs()
    if request.param == "local":
        return open_outputs(str(tmp_path / "files"))
    return open_outputs(s3_place(request.getfixturevalue("s3_endpoint"), tmp_path.name))


def _wait_for(endpoint: str) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5).close()
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the S3 server did not start")
