"""A trained adapter on the bundled checkpoint, through the real programs: it does what it learned, for who asks."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copy

import numpy as np
from PIL import Image

from overpaint.images.metadata import read_recipe
from tests.contract.api.conftest import start_server
from tests.e2e.test_cli import CHECKPOINT, ENVIRONMENT

PURPLE = Path(__file__).parents[2] / "recipes" / "lora" / "purple.safetensors"
WORDS = "an owl on a green background"
COLOURS = {"green": (95, 183, 106), "purple": (152, 102, 204)}


def background(image: Image.Image) -> str:
    """Which of the colours the corners are nearest to."""
    corners = np.asarray(image.convert("RGB"), float)[[2, 2, -3, -3], [2, -3, 2, -3]].mean(0)
    return min(COLOURS, key=lambda name: float(np.abs(corners - COLOURS[name]).sum()))


def test_the_command_line_paints_with_a_lora_and_notes_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "overpaint", "generate", WORDS, "-o", "owl.png", "--seed", "5", "--lora"]
    copy(PURPLE, tmp_path / "mauve.safetensors")
    for given, environment in (("mauve.safetensors:0.9", {}), ("mauve", {"OVERPAINT_ADAPTERS": str(tmp_path)})):
        ended = subprocess.run([*command, given], cwd=tmp_path, env=ENVIRONMENT | environment, check=False, timeout=300)
        assert ended.returncode == 0
        with Image.open(tmp_path / "owl.png") as image:
            recipe = read_recipe(image)
            assert background(image) == "purple"
        assert recipe is not None
        assert recipe.adapters[0].startswith("mauve:")


def test_requests_with_and_without_share_a_server_and_nothing_else(tmp_path: Path) -> None:
    adapters = tmp_path / "loras"
    adapters.mkdir()
    copy(PURPLE, adapters)
    server = start_server(tmp_path / "data", "--no-page", "--adapters", str(adapters), model=str(CHECKPOINT))
    try:
        with server.client() as http:

            def paint(sources: list[str]) -> str:
                body = {"prompt": WORDS, "seed": 5, "size": "128x128", "adapters": [{"source": s} for s in sources]}
                answer = http.post("/overpaint/v1/tasks", params={"wait_s": 60}, json=body)
                url = answer.raise_for_status().json()["images"][0]["url"]
                return background(Image.open(io.BytesIO(http.get(url).raise_for_status().content)))

            with ThreadPoolExecutor(6) as callers:
                painted = list(callers.map(paint, [[], ["purple"]] * 3))
    finally:
        server.stop()
    assert painted == ["green", "purple"] * 3
