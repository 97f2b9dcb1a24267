"""The picture in the project's README: three sources and nine edits by the shipped bundle, seed 1, none chosen.

    python -m recipes.mini.showcase docs/assets/demo.png

Goes through the product's own Python class; knows nothing of training.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

import overpaint
from overpaint import Overpaint
from recipes.mini.pictures import font

SAMPLES = Path(overpaint.__file__).parent / "bundled" / "samples"
ROWS = {
    "apple-and-dog": ["replace the dog with a cat", "replace the apple with a car", "change the background to yellow"],
    "cat-on-yellow": ["add a dog on the right", "change the background to blue", "remove the cat"],
    "rocket-on-white": ["change the background to green", "replace the rocket with a tree", "把火箭换成汽车"],
}
SIDE, GAP, CAPTION = 208, 12, 26


def paint_sheet() -> Image.Image:
    """One row per source: the source, then its edits, each above its instruction."""
    sheet = Image.new("RGB", (4 * SIDE + 5 * GAP, 3 * (SIDE + CAPTION) + 4 * GAP), "white")
    with Overpaint() as painter:
        for row, (name, instructions) in enumerate(ROWS.items()):
            source = Image.open(SAMPLES / f"{name}.png")
            edits = [painter.edit(words, [source], seed=1)[0] for words in instructions]
            for column, (words, image) in enumerate(zip(["given", *instructions], [source, *edits], strict=True)):
                _place(sheet, image, words, column, row)
    return sheet


def _place(sheet: Image.Image, image: Image.Image, words: str, column: int, row: int) -> None:
    left, top = GAP + column * (SIDE + GAP), GAP + row * (SIDE + CAPTION + GAP)
    sheet.paste(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS), (left, top))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), outline="#999999")
    draw.text((left + 2, top + SIDE + 6), words, fill="#222222", font=font(12))


def main() -> None:
    paint_sheet().save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
