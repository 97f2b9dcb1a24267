"""Small helpers of the contact sheets: pixels to pictures, long lines to short ones."""

from __future__ import annotations

import torch
from PIL import Image

from recipes.mini.scenes import to_uint8


def picture(pixels: torch.Tensor) -> Image.Image:
    """One picture (3 or 4, H, W) in -1..1, without its alpha."""
    return Image.fromarray(to_uint8(pixels[:3]).permute(1, 2, 0).cpu().numpy(), "RGB")


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most about `width` letters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
