"""Evaluation on fixed cases that training never showed, with exact answers.

    python -m recipes.mini.evaluate --checkpoint src/overpaint/bundled/overpaint-mini

An output is right when, among all pictures that differ from the true answer in the one thing asked
(object, place, background), the true answer is nearest in the region concerned. Writes a JSON with
95 % Wilson intervals and a contact sheet. Knows nothing of training.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from PIL import Image, ImageDraw

from recipes.mini.objects import THINGS
from recipes.mini.pictures import picture, wrapped
from recipes.mini.sampling import Sampler
from recipes.mini.scenes import BACKGROUND_NAMES, PLACES, SIZE, Composer, Item, Scene, box
from recipes.mini.settings import RUNS
from recipes.mini.tasks import (
    ADD,
    BACKGROUND,
    GENERATE,
    OPERATIONS,
    REMOVE,
    REPLACE,
    Task,
    evaluation_tasks,
)

PAIRS = (("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top"))


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if count == 0:
        return 0.0, 1.0
    share = right / count
    centre = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def with_items(scene: Scene, items: Iterable[Item]) -> Scene:
    return replace(scene, items=tuple(items))


def rivals_in_object(scene: Scene, place: str) -> list[Scene]:
    """The scene with every other thing, or nothing, on `place`; the truth comes first."""
    others = [item for item in scene.items if item.place != place]
    options = [with_items(scene, others)]
    options += [with_items(scene, [*others, Item(t, place)]) for t in range(len(THINGS))]
    return [scene] + [option for option in options if option != scene]


def rivals_in_place(scene: Scene) -> list[Scene]:
    """The same things on other places; the truth comes first."""
    things = [item.thing for item in scene.items]
    if len(things) == 1:
        options = [with_items(scene, [Item(things[0], place)]) for place in PLACES]
    else:
        options = [with_items(scene, map(Item, things, pair)) for pair in PAIRS]
    return [scene] + [option for option in options if option != scene]


def rivals_in_background(scene: Scene) -> list[Scene]:
    options = [replace(scene, background=name) for name in BACKGROUND_NAMES]
    return [scene] + [option for option in options if option != scene]


class Judge:
    """Compares outputs with painted candidates."""

    def __init__(self, composer: Composer) -> None:
        self.composer = composer

    def nearest_is_truth(self, output: torch.Tensor, candidates: list[Scene], region: torch.Tensor) -> bool:
        """`candidates[0]` is the truth; `region` (H, W) is where to look."""
        painted = self.composer.paint(candidates)[:, :3]
        errors = (painted - output[None, :3]).square().mean(1)
        return int((errors * region).sum((1, 2)).argmin()) == 0

    def covered(self, scene: Scene) -> torch.Tensor:
        """Mask (H, W) of the pixels that objects touch."""
        bare = with_items(scene, [])
        with_objects, without = self.composer.paint([scene, bare])
        return ((with_objects - without).abs().amax(0) > 1e-3).float()

    def judge(self, task: Task, output: torch.Tensor) -> dict[str, float]:
        """Marks of one output: 1 or 0 for what was asked, decibels for what was kept."""
        marks = {"background": self._background(task, output)}
        if task.subject is not None:
            marks |= self._object(task, output)
        if task.operation in (GENERATE, ADD) and task.subject is not None:
            everywhere = torch.ones(SIZE, SIZE)
            candidates = rivals_in_place(task.target)
            marks["position"] = float(self.nearest_is_truth(output, candidates, everywhere))
        if task.source is not None:
            marks |= self._kept(task, output)
        truth = self.composer.paint([task.target])[0]
        marks["psnr_to_truth"] = decibels((output - truth).square()[:3].mean())
        return marks

    def _background(self, task: Task, output: torch.Tensor) -> float:
        region = 1 - self.covered(task.target)
        return float(self.nearest_is_truth(output, rivals_in_background(task.target), region))

    def _object(self, task: Task, output: torch.Tensor) -> dict[str, float]:
        assert task.subject is not None
        place = task.subject.place
        region = inside(place)
        right = self.nearest_is_truth(output, rivals_in_object(task.target, place), region)
        name = "removed" if task.operation == REMOVE else "object"
        return {name: float(right)}

    def _kept(self, task: Task, output: torch.Tensor) -> dict[str, float]:
        """What the instruction did not mention: other objects, and pixels outside the edit."""
        assert task.source is not None
        if task.operation == BACKGROUND:
            # Edges are blended with the background, so look at what is opaque: equal in both.
            pair = self.composer.paint([task.source, task.target])
            region = ((pair[0] - pair[1]).abs().amax(0) < 1e-3).float()
            others = task.target.items
        else:
            assert task.subject is not None
            region = 1 - inside(task.subject.place)
            others = tuple(i for i in task.target.items if i.place != task.subject.place)
        truth = self.composer.paint([task.target])[0]
        error = ((output - truth).square()[:3].mean(0) * region).sum() / region.sum()
        marks = {"preservation": decibels(error)}
        if others:
            right = [
                self.nearest_is_truth(output, rivals_in_object(task.target, item.place), inside(item.place))
                for item in others
            ]
            marks["untouched_object"] = float(all(right))
        return marks


def inside(place: str) -> torch.Tensor:
    mask = torch.zeros(SIZE, SIZE)
    mask[box(place)] = 1
    return mask


def decibels(error: torch.Tensor) -> float:
    """Of a mean square error in the range -1..1."""
    return float(10 * torch.log10(4 / error.clamp(min=1e-6)))


def succeeded(task: Task, marks: dict[str, float]) -> float:
    """Did the operation do what it says, and leave the other objects alone?"""
    asked = {
        GENERATE: ("object", "position", "background"),
        ADD: ("object", "untouched_object"),
        REMOVE: ("removed", "untouched_object"),
        REPLACE: ("object", "untouched_object"),
        BACKGROUND: ("background", "untouched_object"),
    }[task.operation]
    return float(all(marks.get(name, 1.0) == 1.0 for name in asked))


def collect(tasks: list[Task], marks: list[dict[str, float]]) -> dict[str, Any]:
    """Shares with intervals, and mean decibels."""
    shares: defaultdict[str, list[float]] = defaultdict(list)
    levels: defaultdict[str, list[float]] = defaultdict(list)
    for task, found in zip(tasks, marks, strict=True):
        success = succeeded(task, found)
        shares[f"{task.operation} success"].append(success)
        shares["new phrasing success" if task.held_out_phrasing else "known phrasing success"].append(success)
        for name, value in found.items():
            (levels if name in ("preservation", "psnr_to_truth") else shares)[name].append(value)
    report: dict[str, Any] = {"cases": len(tasks)}
    for name, values in sorted(shares.items()):
        right = int(sum(values))
        low, high = wilson(right, len(values))
        report[name] = {
            "right": right,
            "of": len(values),
            "share": round(right / len(values), 3),
            "interval": [round(low, 3), round(high, 3)],
        }
    report |= {f"{name} dB": round(mean(values), 2) for name, values in levels.items()}
    return report


def reconstruction(sampler: Sampler, tasks: list[Task]) -> float:
    """Mean dB of the autoencoder alone on the true answers."""
    truth = sampler.composer.paint([task.target for task in tasks])
    with torch.no_grad():
        error = (sampler.decode(sampler.encode(truth)) - truth).square()[:, :3]
    return mean(decibels(e.mean()) for e in error)


def contact_sheet(
    tasks: list[Task], outputs: torch.Tensor, marks: list[dict[str, float]], composer: Composer
) -> Image.Image:
    """Rows of: input | instruction | output | truth."""
    cell, label, rows = SIZE, 250, len(tasks)
    half = -(-rows // 2)
    wide = 3 * cell + label + 20
    sheet = Image.new("RGB", (2 * wide, half * (cell + 4)), "white")
    pen = ImageDraw.Draw(sheet)
    for index, task in enumerate(tasks):
        left, top = (index // half) * wide, (index % half) * (cell + 4)
        if task.source is not None:
            sheet.paste(picture(composer.paint([task.source])[0]), (left, top))
        words = "\n".join(wrapped(task.prompt, 36))
        verdict = "right" if succeeded(task, marks[index]) else "WRONG"
        pen.text((left + cell + 8, top + 20), f"{words}\n\n{task.operation}: {verdict}", "black")
        sheet.paste(picture(outputs[index]), (left + cell + label, top))
        sheet.paste(picture(composer.paint([task.target])[0]), (left + 2 * cell + label + 4, top))
    return sheet


def evaluate(sampler: Sampler, count: int, folder: Path, held_out: bool = True) -> dict[str, Any]:
    """Run all cases, write `evaluation.json` and `evaluation.png`, return the report."""
    tasks = evaluation_tasks(count, held_out=held_out)
    start = time.monotonic()
    outputs = sampler.answer(tasks).cpu()
    seconds = time.monotonic() - start
    judge = Judge(Composer())
    marks = [judge.judge(task, output) for task, output in zip(tasks, outputs, strict=True)]
    report = collect(tasks, marks) | {
        "autoencoder dB": round(reconstruction(sampler, tasks), 2),
        "combinations": "unseen" if held_out else "seen",
        "steps": sampler.steps,
        "guidance": sampler.guidance,
        "seconds": round(seconds, 1),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    shown = [i for o in OPERATIONS for i, t in enumerate(tasks) if t.operation == o][:: max(1, count // 40)]
    sheet = contact_sheet([tasks[i] for i in shown], outputs[shown], [marks[i] for i in shown], judge.composer)
    sheet.save(folder / "evaluation.png", optimize=True)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--seen", action="store_true", help="combinations that training did show")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=RUNS / "evaluation")
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    sampler = Sampler.load(a.checkpoint, a.device, steps=a.steps, guidance=a.guidance)
    print(json.dumps(evaluate(sampler, a.cases, a.folder, not a.seen), indent=2))


if __name__ == "__main__":
    main()
