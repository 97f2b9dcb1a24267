"""Small helpers of the contact sheets: pixels to pictures, long lines to short ones."""

from __future__ import annotations

import io
import re
from functools import cache

import torch
from PIL import Image, ImageFont

from recipes.mini.composer import to_uint8
from recipes.mini.drawings import FONT, FONT_FILE, archive_of, fetch


def picture(pixels: torch.Tensor, side: int) -> Image.Image:
    """One picture (4, H, W) in -1..1, as `shown`."""
    return shown(Image.fromarray(to_uint8(pixels).permute(1, 2, 0).cpu().numpy(), "RGBA"), side)


def shown(image: Image.Image, side: int) -> Image.Image:
    """At another size, on a chequered ground where it is transparent."""
    image = image.convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
    ground = Image.new("RGBA", image.size, "#ffffff")
    for y in range(0, side, 8):
        for x in range(y % 16, side, 16):
            ground.paste("#cccccc", (x, y, x + 8, y + 8))
    return Image.alpha_composite(ground, image).convert("RGB")


@cache
def font(size: int = 13) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """The font of the characters in scenes where `drawings.py` has fetched it, else one without hanzi."""
    if not archive_of(FONT).exists():
        return ImageFont.load_default(size)
    return ImageFont.truetype(io.BytesIO(fetch(FONT, FONT_FILE)), size)


def caption(prompt: str) -> tuple[list[str], int]:
    """Lines of an instruction, and the size of letters with which they fit beside a picture."""
    lines = wrapped(prompt, 26)
    return (lines, 13) if len(lines) <= 4 else (wrapped(prompt, 35), 10)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most about `width` letters; a hanzi is as wide as two."""
    lines = [""]
    for word in re.findall(r"[\u3000-\uffef]|[^\s\u3000-\uffef]+\s*", text):
        if sum(2 if letter >= "\u3000" else 1 for letter in lines[-1] + word) > width:
            lines.append("")
        lines[-1] += word
    return lines
