"""A contact sheet of training pairs: source | instruction | target, as the model will see them.

    python -m recipes.mini.preview --seed 1

Knows nothing of networks.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

from PIL import Image, ImageDraw

from recipes.mini.pictures import picture, wrapped
from recipes.mini.scenes import SIZE, Composer
from recipes.mini.settings import RUNS
from recipes.mini.tasks import Task, training_tasks


def preview(tasks: list[Task], columns: int = 3) -> Image.Image:
    """One cell per task, filled by columns."""
    composer, wide, high = Composer(), 2 * SIZE + 240, SIZE + 4
    rows = -(-len(tasks) // columns)
    sheet = Image.new("RGB", (columns * wide, rows * high), "white")
    pen = ImageDraw.Draw(sheet)
    for index, task in enumerate(tasks):
        left, top = index // rows * wide, index % rows * high
        if task.source is not None:
            sheet.paste(picture(composer.paint([task.source])[0]), (left, top))
        words = "\n".join(wrapped(task.prompt, 34))
        pen.text((left + SIZE + 8, top + 30), f"{words}\n\n({task.operation})", "black")
        sheet.paste(picture(composer.paint([task.target])[0]), (left + wide - SIZE - 8, top))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--output", type=Path, default=RUNS / "preview.png")
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    preview(list(itertools.islice(training_tasks(arguments.seed), arguments.count))).save(arguments.output)
    print(arguments.output)


if __name__ == "__main__":
    main()
