"""The shipped weights still do what their card says, on the first of the card's own cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import overpaint
from recipes.mini.evaluate import judge_all, world_of
from recipes.mini.report import markdown, wilson
from recipes.mini.sampling import Sampler
from recipes.mini.tasks import evaluation_tasks

CHECKPOINT = Path(overpaint.__file__).parent / "bundled" / "overpaint-mini"
FIGURES = json.loads((CHECKPOINT / "evaluation.json").read_text())


@pytest.mark.parametrize("count", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_a_slice_of_the_cases_is_as_good_as_the_card_says(count: int) -> None:
    """Right answers may be fewer than the card's share by the 95 % interval of so few cases, not by more."""
    sampler = Sampler.load(CHECKPOINT, "cpu", steps=FIGURES["steps"])
    world = world_of(sampler)
    tasks = evaluation_tasks(world, FIGURES["cases"])[:count]
    marks = judge_all(world, tasks, sampler.answer(tasks))
    right = sum(mark["success"] for mark in marks)
    promised = FIGURES["marks"]["success"]["share"]
    least, _ = wilson(round(promised * count), count)
    assert right / count >= least


def test_the_card_shows_the_figures_of_the_evaluation() -> None:
    assert markdown(FIGURES) in (CHECKPOINT / "README.md").read_text()
    assert FIGURES["cases"] >= 600
