"""The objects of the world: which drawings are used, what they are called, and their pixels.

Drawings come from the npm package `@iconify-json/fluent-emoji-flat` (MIT), rasterised once by
`python -m recipes.mini.objects` into `assets/sprites.png`, which is what everything else reads.
Knows nothing of scenes, prompts or models.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).parent
SHEET = HERE / "assets" / "sprites.png"
CACHE = HERE / ".cache"
PACKAGE = "@iconify-json/fluent-emoji-flat@1.2.6"
SPRITE_SIZE = 64
SHEET_COLUMNS = 7


@dataclass(frozen=True)
class Thing:
    """One kind of object: the noun used in prompts and the name of its drawing."""

    name: str
    icon: str

    @property
    def phrase(self) -> str:
        """The noun with its indefinite article: `an apple`, `a cat`."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"


THINGS: tuple[Thing, ...] = tuple(
    Thing(*pair)
    for pair in (
        ("apple", "red-apple"),
        ("banana", "banana"),
        ("strawberry", "strawberry"),
        ("carrot", "carrot"),
        ("eggplant", "eggplant"),
        ("burger", "hamburger"),
        ("pizza", "pizza"),
        ("donut", "doughnut"),
        ("dog", "dog-face"),
        ("cat", "cat-face"),
        ("pig", "pig-face"),
        ("frog", "frog"),
        ("penguin", "penguin"),
        ("owl", "owl"),
        ("fish", "tropical-fish"),
        ("turtle", "turtle"),
        ("butterfly", "butterfly"),
        ("sunflower", "sunflower"),
        ("tree", "evergreen-tree"),
        ("cactus", "cactus"),
        ("car", "automobile"),
        ("bus", "bus"),
        ("rocket", "rocket"),
        ("boat", "sailboat"),
        ("house", "house"),
        ("umbrella", "umbrella"),
        ("guitar", "guitar"),
        ("crown", "crown"),
    )
)
NAMES: tuple[str, ...] = tuple(thing.name for thing in THINGS)


def load_sprites() -> torch.Tensor:
    """All sprites as straight-alpha RGBA floats in 0..1, shape (things, 4, 64, 64)."""
    sheet = np.asarray(Image.open(SHEET).convert("RGBA"), dtype=np.float32) / 255.0
    rows = sheet.shape[0] // SPRITE_SIZE
    grid = sheet.reshape(rows, SPRITE_SIZE, SHEET_COLUMNS, SPRITE_SIZE, 4)
    sprites = grid.transpose(0, 2, 4, 1, 3).reshape(-1, 4, SPRITE_SIZE, SPRITE_SIZE)
    return torch.from_numpy(np.ascontiguousarray(sprites[: len(THINGS)]))


def fetch_icons() -> dict[str, Any]:
    """The icon set, downloaded through npm into the git-ignored cache when absent."""
    path = CACHE / "package" / "icons.json"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        subprocess.run(["npm", "pack", PACKAGE], cwd=CACHE, check=True, capture_output=True)
        archive = next(CACHE.glob("iconify-json-fluent-emoji-flat-*.tgz"))
        with tarfile.open(archive) as tar:
            tar.extractall(CACHE, filter="data")
    return json.loads(path.read_text())


def rasterise(icons: dict[str, Any], icon: str, size: int = SPRITE_SIZE) -> Image.Image:
    """One drawing as an RGBA picture of `size` x `size` pixels."""
    import resvg_py

    body = icons["icons"][icon]["body"]
    extent = icons.get("width", 32)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {extent} {extent}">{body}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


def write_sheet() -> Path:
    """Rasterise every object into the committed sprite sheet."""
    icons = fetch_icons()
    rows = -(-len(THINGS) // SHEET_COLUMNS)
    sheet = Image.new("RGBA", (SHEET_COLUMNS * SPRITE_SIZE, rows * SPRITE_SIZE))
    for index, thing in enumerate(THINGS):
        row, column = divmod(index, SHEET_COLUMNS)
        sheet.paste(rasterise(icons, thing.icon), (column * SPRITE_SIZE, row * SPRITE_SIZE))
    SHEET.parent.mkdir(exist_ok=True)
    sheet.save(SHEET, optimize=True)
    return SHEET


if __name__ == "__main__":
    print(write_sheet())
