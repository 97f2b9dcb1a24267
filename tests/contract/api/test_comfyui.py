"""The node that ships for ComfyUI, and the snippet of its page, against a real server process; without ComfyUI."""

import importlib.util
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.contract.api.conftest import RunningServer
from tests.contract.api.test_wavespeed_python import data_uri

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "howto" / "call-from-comfyui.md"


@pytest.fixture
def node(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The node as ComfyUI makes it, told of the server."""
    monkeypatch.setenv("OVERPAINT_URL", f"{server.url}/")
    monkeypatch.setenv("OVERPAINT_KEY", server.key)
    spec = importlib.util.spec_from_file_location("overpaint_nodes", ROOT / "examples/comfyui/overpaint_nodes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.NODE_CLASS_MAPPINGS["OverpaintEdit"]()


def test_a_batch_is_edited_under_its_mask(node: Any) -> None:
    red = torch.zeros(2, 256, 320, 3)
    red[..., 0] = 1
    mask = torch.zeros(1, 256, 320)
    mask[..., :160] = 1
    (painted,) = node.paint("a sky", seed=3, steps=4, size="auto", images=red, mask=mask)
    assert painted.shape == (1, 256, 320, 3)
    assert painted.dtype == torch.float32
    assert torch.equal(painted[0, :, 160:], red[0, :, 160:])
    assert not torch.equal(painted[0, :, :160], red[0, :, :160])


def test_without_a_picture_it_paints_and_a_mistake_is_told(node: Any) -> None:
    (painted,) = node.paint("a cat", seed=3, steps=4, size="320x256", negative_prompt="rain")
    assert painted.shape == (1, 256, 320, 3)
    with pytest.raises(RuntimeError, match="Overpaint: size: "):
        node.paint("a cat", seed=3, steps=4, size="huge")


def test_a_named_model_takes_ten_pictures_where_the_servers_first_takes_six(node: Any) -> None:
    ten = torch.rand(10, 64, 64, 3)
    with pytest.raises(RuntimeError, match="10 are too many; give at most 6"):
        node.paint("a sky", seed=3, steps=1, size="64x64", images=ten)
    (painted,) = node.paint("a sky", seed=3, steps=1, size="64x64", images=ten, model="Qwen/Qwen-Image-2.1")
    assert painted.shape == (1, 64, 64, 3)


class _Proxy(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(502)
        self.end_headers()
        self.wfile.write(b"<html>Bad Gateway</html>")


def test_a_server_that_is_not_there_is_told(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), _Proxy) as proxy:
        url = f"http://127.0.0.1:{proxy.server_port}"
        monkeypatch.setitem(node.paint.__globals__, "SERVER", url)
        threading.Thread(target=proxy.handle_request).start()
        with pytest.raises(RuntimeError, match=f"{url} answers 502 Bad Gateway"):
            node.paint("a sky", seed=3, steps=1, size="64x64")
    with pytest.raises(RuntimeError, match=f"{url} cannot be reached"):
        node.paint("a sky", seed=3, steps=1, size="64x64")


def test_what_comfyui_shows_is_what_the_node_takes(node: Any) -> None:
    shown = node.INPUT_TYPES()
    asked = {**shown["required"], **shown["optional"]}
    assert set(asked) == set(node.paint.__code__.co_varnames[1 : node.paint.__code__.co_argcount])


def test_the_snippet_of_the_page_tells_progress_and_the_end(server: RunningServer, png: bytes) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    definitions, _, _ = (
        code.replace("http://gpu-box:8000", server.url).replace("op_...", server.key).partition("\nfor ")
    )
    world: dict[str, Any] = {}
    exec(definitions, world)
    body = {"prompt": "make it blue", "images": [data_uri(png)], "steps": 4}
    happened = list(world["events"](body))
    assert "progress" in [name for name, _ in happened]
    assert happened[-1][0] == "done"
    assert happened[-1][1]["task"]["images"][0]["url"]
