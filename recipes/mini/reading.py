"""Reads the letters of a picture with RapidOCR, an optional extra of the recipe. Knows nothing of scenes."""

from __future__ import annotations

import unicodedata
from typing import Any

import torch

from recipes.mini.composer import to_uint8


class Reader:
    """A general text reader, for lines it need not find."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR  # pyright: ignore[reportMissingImports]

        self._engine: Any = RapidOCR(params={"Global.log_level": "error"})

    def read(self, line: torch.Tensor) -> str:
        """The characters in a line (4, H, W) in -1..1, full-width ones as their plain forms."""
        pixels = to_uint8(line[:3]).permute(1, 2, 0).flip(-1).contiguous().numpy()
        found = self._engine(pixels, use_det=False, use_cls=False, use_rec=True)
        return unicodedata.normalize("NFKC", "".join(found.txts or ())).replace(" ", "")


def find_reader() -> Reader | None:
    """A reader where RapidOCR is installed."""
    try:
        return Reader()
    except ImportError:
        return None


def error_rate(found: str, right: str) -> float:
    """Edits (insert, delete, exchange) between two strings, per character of the right one; 1 at most."""
    row = list(range(len(right) + 1))
    for i, letter in enumerate(found, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (letter != other))
    return min(1.0, row[-1] / len(right))
