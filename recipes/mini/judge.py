"""Judges answers: the nearest of several exact pictures, what was kept, letters, and transparency.

Knows nothing of models.
"""

from __future__ import annotations

from collections import defaultdict

import torch

from recipes.mini.composer import Composer
from recipes.mini.glyphs import CHARACTERS
from recipes.mini.reading import Reader, error_rate
from recipes.mini.rivals import Question, ask, ask_untouched
from recipes.mini.scenes import SIDE, Box
from recipes.mini.skills import without
from recipes.mini.tasks import Task
from recipes.mini.world import World

Marks = dict[str, float]
LEVELS = ("preservation", "to truth")  # decibels; everything else is a share or a mean
MEANS = ("character error rate", "alpha IoU")


def decibels(error: torch.Tensor) -> float:
    """Of a mean square error in the range -1..1; 60 at most."""
    return float(10 * torch.log10(4 / error.clamp(min=4e-6)))


class Judge:
    """Compares answers with painted candidates."""

    def __init__(self, world: World, reader: Reader | None = None) -> None:
        self.world, self.composer, self.reader = world, Composer(side=world.side), reader

    def judge(self, task: Task, output: torch.Tensor) -> Marks:
        """Marks of one answer (4, side, side): 1 or 0 for what was asked, decibels for what was kept."""
        collected: defaultdict[str, list[bool]] = defaultdict(list)
        for question in ask(task, self.world) + ask_untouched(task, self.world):
            collected[question.name].append(self.nearest_is_truth(question, output))
        marks = {name: float(all(answers)) for name, answers in collected.items()}
        truth = self.composer.paint([task.target])[0]
        marks["to truth"] = decibels((output - truth).square().mean())
        if task.sources:
            marks |= self._preservation(task, output, truth)
        if task.target.text is not None and task.skill in ("write", "reword"):
            marks |= self._text(task, output)
        if task.skill == "extract":
            marks |= _alpha(output, truth)
        marks["success"] = float(all(value == 1 for name, value in marks.items() if name not in (*LEVELS, *MEANS)))
        return marks

    def nearest_is_truth(self, question: Question, output: torch.Tensor) -> bool:
        box = question.box or (0, 0, SIDE, SIDE)
        painted = self.composer.window(box).paint(list(question.candidates))
        errors = (painted - self.crop(output, box)).square().mean(1)
        if question.box is None:
            errors = errors * self._bare(question)
        return int(errors.sum((1, 2)).argmin()) == 0

    def crop(self, picture: torch.Tensor, box: Box) -> torch.Tensor:
        left, top, right, bottom = (edge * self.world.side // SIDE for edge in box)
        return picture[:, top:bottom, left:right]

    def _bare(self, question: Question) -> torch.Tensor:
        """Mask of what shows the background alone."""
        scene = question.candidates[0]
        bare = scene
        for item in scene.items:
            bare = without(bare, item)
        pair = self.composer.paint([scene, bare])
        return ((pair[0] - pair[1]).abs().amax(0) < 1e-3).float()

    def _preservation(self, task: Task, output: torch.Tensor, truth: torch.Tensor) -> Marks:
        """How well what is equal before and after was kept. Nothing, when nothing is."""
        before = self.composer.paint([task.sources[-1]])[0]
        same = ((before - truth).abs().amax(0) < 1e-3).float()
        if same.mean() < 0.02:
            return {}
        error = ((output - truth).square().mean(0) * same).sum() / same.sum()
        return {"preservation": decibels(error)}

    def _text(self, task: Task, output: torch.Tensor) -> Marks:
        """Each letter nearest to its own shape among all; and what a general reader makes of the line."""
        assert task.target.text is not None
        text, found = task.target.text, ""
        for index in range(len(text.words)):
            found += self._letter(task, output, index)
        marks: Marks = {"text": float(found == text.words)}
        if self.reader is not None:
            left, top, right, bottom = text.letters
            box = (max(0, left - 16), max(0, top - 8), min(SIDE, right + 16), min(SIDE, bottom + 8))
            marks["character error rate"] = error_rate(self.reader.read(self.crop(output, box)), text.words)
        return marks

    def _letter(self, task: Task, output: torch.Tensor, index: int) -> str:
        from dataclasses import replace

        text = task.target.text
        assert text is not None
        words = [text.words[:index] + letter + text.words[index + 1 :] for letter in CHARACTERS]
        scenes = [replace(task.target, text=replace(text, words=each)) for each in words]
        left, top, _, bottom = text.letters
        box = (left + 32 * index, top, left + 32 * index + 32, bottom)
        errors = (self.composer.window(box).paint(scenes) - self.crop(output, box)).square().sum((1, 2, 3))
        return CHARACTERS[int(errors.argmin())]


def _alpha(output: torch.Tensor, truth: torch.Tensor) -> Marks:
    """Overlap of what is more than half opaque."""
    found, right = output[3] > 0, truth[3] > 0
    return {"alpha IoU": float((found & right).sum() / (found | right).sum().clamp(min=1))}
