"""Adapters over the native API of a real server process: by URL, by upload, after a restart, and what is refused."""

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.contract.api.conftest import LOCAL, TELLTALE, RunningServer, start_server, wait_until
from tests.contract.api.gate import Gate
from tests.contract.api.listening import listening
from tests.reference.lora_bytes import lora_bytes

TASKS = "/overpaint/v1/tasks"
LAYERS = {"transformer_blocks.1.attn.to_v": (4, 4)}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@dataclass
class Shop:
    """Somebody else's web server with files to fetch."""

    url: str
    folder: Path


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "style.safetensors").write_bytes(lora_bytes(LAYERS, seed=4))
    with listening(partial(Quiet, directory=str(folder))) as url:  # type: ignore[arg-type]
        yield Shop(url, folder)


def paint(server: RunningServer, *sources: str, **asked: object) -> Any:
    body = {"prompt": "a cat", "size": "256x256", "seed": 5, "steps": 2, "adapters": [{"source": s} for s in sources]}
    with server.client() as http:
        return http.post(TASKS, params={"wait_s": 30}, json=body | asked)


def color(server: RunningServer, task: Any) -> object:
    with server.client() as http:
        return Image.open(io.BytesIO(http.get(task["images"][0]["url"]).content)).convert("RGB").getcolors()


def test_a_url_an_upload_and_a_name_are_three_ways_to_one_picture(server: RunningServer, shop: Shop) -> None:
    by_url = paint(server, f"{shop.url}/style.safetensors").raise_for_status().json()
    with server.client() as http:
        content = (shop.folder / "style.safetensors").read_bytes()
        file = http.post("/overpaint/v1/files", files={"file": ("style.safetensors", content)})
        by_upload = paint(server, file.raise_for_status().json()["url"]).raise_for_status().json()
    plain, named = paint(server).json(), paint(server, LOCAL).raise_for_status().json()
    assert color(server, by_url) == color(server, by_upload)
    assert len({str(color(server, task)) for task in (plain, named, by_url)}) == 3


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("picture.safetensors", b"\x89PNG\r\n\x1a\n" + bytes(100), "is not a safetensors file"),
        ("pickle.bin", b"\x80\x04\x95" + bytes(100), "is not a safetensors file"),
        ("cut.safetensors", lora_bytes(LAYERS)[:-1], "is cut off"),
        ("other.safetensors", lora_bytes(LAYERS).replace(b"lora_A", b"weight"), "is no part of a LoRA"),
        ("none.safetensors", None, "answers 404"),
    ],
)
def test_what_is_no_lora_is_refused_at_once(
    server: RunningServer, shop: Shop, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (shop.folder / name).write_bytes(content)
    answer = paint(server, LOCAL, f"{shop.url}/{name}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (400, "invalid_request", "adapters[1]")
    assert says in error["message"]


def test_five_are_too_many(server: RunningServer) -> None:
    answer = paint(server, *[LOCAL] * 5)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "adapters")


def test_a_restart_finds_what_an_open_task_needs_when_all_else_is_gone(tmp_path: Path, shop: Shop, gate: Gate) -> None:
    start = partial(start_server, tmp_path / "data", "--no-page", program=TELLTALE)
    first = start()
    body = {"prompt": gate.words, "size": "256x256", "adapters": [{"source": f"{shop.url}/style.safetensors"}]}
    with first.client() as http:
        url = http.post(TASKS, json=body).raise_for_status().json()["urls"]["get"].removeprefix(first.url)
        wait_until(lambda: http.get(url).json()["state"] == "running")
    first.stop()
    (shop.folder / "style.safetensors").unlink()
    shutil.rmtree(tmp_path / "data" / "adapters")
    gate.open()
    second = start(key=first.key)
    with second.client() as http:
        wait_until(lambda: http.get(url).json()["state"] == "succeeded")
    second.stop()
