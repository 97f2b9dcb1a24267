"""The characters that scenes may write, and their shapes. `assets/glyphs.png` is made by `drawings.py`.

Knows nothing of scenes or prompts.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from PIL import Image

from recipes.mini.objects import ASSETS

LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
HANZI = "大小上下中左右人口山水火木日月天地花茶书店门开关好春夏秋冬新年快乐福喜家车米面牛鱼"
CHARACTERS = LATIN + HANZI
GLYPH_SIZE = 32


@cache
def load_glyphs() -> torch.Tensor:
    """Coverage of every character as bytes, (characters, 32, 32)."""
    strip = np.asarray(Image.open(ASSETS / "glyphs.png").convert("L"))
    glyphs = strip.reshape(GLYPH_SIZE, len(CHARACTERS), GLYPH_SIZE).transpose(1, 0, 2)
    return torch.from_numpy(np.ascontiguousarray(glyphs))
