"""The objects of the world: what they are called in both languages, and their pixels in both styles.

`assets/objects.tsv` lists them; `assets/flat.webp` and `assets/shaded.webp` hold their drawings, made
by `drawings.py`. Knows nothing of scenes, prompts or models.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ASSETS = Path(__file__).parent / "assets"
SPRITE_SIZE = 128
SHEET_COLUMNS = 12
STYLES = ("flat", "shaded")


@dataclass(frozen=True)
class Thing:
    """One kind of object: its nouns, and the name both icon sets give its drawing."""

    english: str
    chinese: str
    icon: str


def _read_things() -> tuple[Thing, ...]:
    with (ASSETS / "objects.tsv").open(newline="", encoding="utf-8") as file:
        return tuple(Thing(**row) for row in csv.DictReader(file, delimiter="\t"))


THINGS = _read_things()
NAMES = tuple(thing.english for thing in THINGS)


@cache
def load_sprites() -> torch.Tensor:
    """All drawings as straight-alpha RGBA bytes, (styles, things, 4, 128, 128)."""
    return torch.stack([_load_sheet(ASSETS / f"{style}.webp") for style in STYLES])


def _load_sheet(path: Path) -> torch.Tensor:
    sheet = np.asarray(Image.open(path).convert("RGBA"))
    rows = sheet.shape[0] // SPRITE_SIZE
    grid = sheet.reshape(rows, SPRITE_SIZE, SHEET_COLUMNS, SPRITE_SIZE, 4)
    sprites = grid.transpose(0, 2, 4, 1, 3).reshape(-1, 4, SPRITE_SIZE, SPRITE_SIZE)
    return torch.from_numpy(np.ascontiguousarray(sprites[: len(THINGS)]))
