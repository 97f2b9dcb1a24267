"""A contact sheet of training pairs: source | instruction | target, as the model will see them.

    python -m recipes.mini.preview --seed 1

Knows nothing of networks.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

from PIL import Image, ImageDraw

from recipes.mini.composer import Composer
from recipes.mini.pictures import caption, font, picture
from recipes.mini.settings import RUNS
from recipes.mini.tasks import Task, training_tasks
from recipes.mini.world import FULL, WORLDS, World

CELL, LABEL = 144, 220


def preview(world: World, tasks: list[Task], columns: int = 3) -> Image.Image:
    """One cell per task, filled by columns."""
    composer, wide, high = Composer(side=world.side), 2 * CELL + LABEL, CELL + 4
    rows = -(-len(tasks) // columns)
    sheet = Image.new("RGB", (columns * wide, rows * high), "white")
    pen = ImageDraw.Draw(sheet)
    for index, task in enumerate(tasks):
        left, top = index // rows * wide, index % rows * high
        size = CELL // max(1, len(task.sources))
        for number, source in enumerate(task.sources):
            sheet.paste(picture(composer.paint([source])[0], size), (left + number * size, top))
        lines, letters = caption(task.prompt)
        words = "\n".join([*lines, "", f"({task.skill})"])
        pen.text((left + CELL + 6, top + 8), words, "black", font=font(letters))
        sheet.paste(picture(composer.paint([task.target])[0], CELL), (left + wide - CELL - 8, top))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=45)
    parser.add_argument("--world", choices=WORLDS, default=FULL.name)
    parser.add_argument("--output", type=Path, default=RUNS / "preview.png")
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    world = WORLDS[arguments.world]
    tasks = list(itertools.islice(training_tasks(world, arguments.seed), arguments.count))
    preview(world, tasks).save(arguments.output, optimize=True)
    print(arguments.output)


if __name__ == "__main__":
    main()
