"""Evaluation on fixed cases that training never showed, with exact answers.

    python -m recipes.mini.evaluate --checkpoint src/overpaint/bundled/overpaint-mini --cases 600

An answer is right when, among all pictures that differ from the true one in the one thing asked
(object, position, background, colour, ...), the true one is nearest in the region concerned. Writes
`evaluation.json` with 95 % intervals and `evaluation.png` (input | instruction | output | truth).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from tqdm import tqdm

from recipes.mini.composer import Composer
from recipes.mini.judge import Judge, Marks, decibels
from recipes.mini.pictures import caption, font, picture
from recipes.mini.reading import find_reader
from recipes.mini.report import collect, level, markdown, table
from recipes.mini.sampling import Sampler
from recipes.mini.settings import RUNS
from recipes.mini.tasks import Task, evaluation_tasks
from recipes.mini.world import WORLDS, World

CELL, LABEL = 128, 210


def world_of(sampler: Sampler) -> World:
    """The world a checkpoint was made for."""
    return WORLDS[sampler.world]


def judge_all(world: World, tasks: list[Task], outputs: torch.Tensor) -> list[Marks]:
    judge = Judge(world, find_reader())
    pairs = zip(tqdm(tasks, desc="judging", unit="case", disable=None), outputs, strict=True)
    return [judge.judge(task, output) for task, output in pairs]


def reconstruction(sampler: Sampler, tasks: list[Task]) -> list[float]:
    """dB of the autoencoder alone on the true answers."""
    found: list[float] = []
    for start in range(0, len(tasks), sampler.most):
        truth = sampler.composer.paint([task.target for task in tasks[start : start + sampler.most]])
        error = (sampler.decode(sampler.encode(truth)) - truth).square().mean((1, 2, 3))
        found += [decibels(each) for each in error.cpu()]
    return found


def contact_sheet(world: World, tasks: list[Task], outputs: torch.Tensor, marks: list[Marks]) -> Image.Image:
    """Two columns of: input | instruction and what was wrong | output | truth."""
    composer, half, wide = Composer(side=world.side), -(-len(tasks) // 2), 3 * CELL + LABEL + 16
    sheet = Image.new("RGB", (2 * wide, half * (CELL + 6)), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (task, output, found) in enumerate(zip(tasks, outputs, marks, strict=True)):
        left, top = index // half * wide, index % half * (CELL + 6)
        sources = composer.paint(list(task.sources))
        size = CELL // max(1, len(sources))
        for number, source in enumerate(sources):
            sheet.paste(picture(source, size), (left + number * size, top))
        wrong = [name for name, value in found.items() if value == 0 and name != "success"]
        verdict = "right" if found["success"] else f"wrong: {', '.join(wrong)}"
        lines, letters = caption(task.prompt)
        words, colour = "\n".join([*lines, "", verdict]), "black" if found["success"] else "#b00020"
        pen.text((left + CELL + 8, top + 8), words, colour, font=font(letters))
        sheet.paste(picture(output, CELL), (left + CELL + LABEL, top))
        sheet.paste(picture(composer.paint([task.target])[0], CELL), (left + 2 * CELL + LABEL + 4, top))
    return sheet


def evaluate(
    sampler: Sampler, count: int, folder: Path, held_out: bool = True, world: World | None = None
) -> dict[str, Any]:
    """Run all cases, the checkpoint's own world's unless another is named; write and return the report."""
    world = world or world_of(sampler)
    tasks = evaluation_tasks(world, count, held_out=held_out)
    start = time.monotonic()
    outputs = sampler.answer(tasks)
    seconds = time.monotonic() - start
    marks = judge_all(world, tasks, outputs)
    report = collect(tasks, marks) | {
        "autoencoder": level(reconstruction(sampler, tasks)),
        "combinations": "unseen" if held_out else "seen",
        "steps": sampler.steps,
        "guidance": sampler.guidance,
        "seconds": round(seconds, 1),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    (folder / "evaluation.md").write_text(markdown(report))
    shown = sorted(range(count), key=lambda index: (index // (2 * len(world.skills)), tasks[index].skill))[:40]
    sheet = contact_sheet(world, [tasks[i] for i in shown], outputs[shown], [marks[i] for i in shown])
    sheet.save(folder / "evaluation.png", optimize=True)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--seen", action="store_true", help="combinations that training did show")
    parser.add_argument("--world", choices=WORLDS, help="whose cases (of the same size); else the checkpoint's own")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, default=RUNS / "evaluation")
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    sampler = Sampler.load(a.checkpoint, a.device, steps=a.steps, guidance=a.guidance)
    report = evaluate(sampler, a.cases, a.folder, not a.seen, WORLDS.get(a.world))
    print(table(report))
    print(f"\nautoencoder alone {report['autoencoder']['mean']:.1f} dB; {report['combinations']} combinations")


if __name__ == "__main__":
    main()
