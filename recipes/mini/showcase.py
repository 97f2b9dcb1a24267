"""The picture in the project's README: five sources and fifteen edits by the shipped bundle, seed 1, none chosen.

    python -m recipes.mini.showcase [--output docs/assets/demo.png]

Goes through the product's own Python class; knows nothing of training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw

import overpaint
from overpaint import Overpaint
from recipes.mini.pictures import font, shown

SAMPLES = Path(overpaint.__file__).parent / "bundled" / "samples"
ROWS = {
    "apple-and-dog": ["replace the dog with a cat", "make the apple yellow", "把苹果换成汽车"],
    "cat-on-yellow": ["add a dog on the right", "make the background a night sky", "make the cat smaller"],
    "rocket-on-white": ["replace the rocket with a castle", "把背景换成草地", "move the rocket to the top left"],
    "car-and-tree": ["make the sky overcast", "remove the tree", "make the car purple"],
    "owl-and-book": ["cut out the book", "replace the owl with a penguin", "change the background to snow"],
}
SIDE, GAP, CAPTION = 208, 12, 26


def paint_sheet() -> Image.Image:
    """One row per source: the source, then its edits, each above its instruction."""
    sheet = Image.new("RGB", (4 * SIDE + 5 * GAP, len(ROWS) * (SIDE + CAPTION + GAP) + GAP), "white")
    with Overpaint() as painter:
        for row, (name, instructions) in enumerate(ROWS.items()):
            source = Image.open(SAMPLES / f"{name}.png")
            edits = [painter.edit(words, [source], seed=1)[0] for words in instructions]
            for column, (words, image) in enumerate(zip(["given", *instructions], [source, *edits], strict=True)):
                _place(sheet, image, words, column, row)
    return sheet


def _place(sheet: Image.Image, image: Image.Image, words: str, column: int, row: int) -> None:
    left, top = GAP + column * (SIDE + GAP), GAP + row * (SIDE + CAPTION + GAP)
    sheet.paste(shown(image, SIDE), (left, top))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), outline="#999999")
    draw.text((left + 2, top + SIDE + 6), words, fill="#222222", font=font(12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/assets/demo.png"))
    target: Path = parser.parse_args().output
    paint_sheet().save(target, optimize=True)


if __name__ == "__main__":
    main()
