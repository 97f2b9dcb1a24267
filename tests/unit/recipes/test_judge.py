"""The evaluation: right answers pass, wrong ones fail on what is wrong with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from recipes.mini.composer import Composer
from recipes.mini.judge import Judge
from recipes.mini.reading import error_rate
from recipes.mini.report import collect, markdown, table, wilson
from recipes.mini.tasks import Task, evaluation_tasks
from recipes.mini.world import FULL, PLAIN, WIDE, World


def judged(world: World, tasks: list[Task], pictures: torch.Tensor) -> list[dict[str, float]]:
    judge = Judge(world)
    return [judge.judge(task, picture) for task, picture in zip(tasks, pictures, strict=True)]


@pytest.mark.parametrize(("world", "count"), [(PLAIN, 20), (WIDE, 24), (FULL, 15)])
def test_the_truth_is_right_even_when_it_is_noisy(world: World, count: int) -> None:
    tasks = evaluation_tasks(world, count)
    pictures = Composer(side=world.side).paint([task.target for task in tasks])
    noisy = pictures + 0.1 * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    for task, marks in zip(tasks, judged(world, tasks, noisy), strict=True):
        assert marks["success"] == 1, (task.prompt, marks)


@pytest.mark.parametrize(("world", "count"), [(PLAIN, 20), (WIDE, 24), (FULL, 15)])
def test_an_edit_that_does_nothing_is_wrong(world: World, count: int) -> None:
    tasks = [task for task in evaluation_tasks(world, count) if task.sources]
    pictures = Composer(side=world.side).paint([task.sources[-1] for task in tasks])
    for task, marks in zip(tasks, judged(world, tasks, pictures), strict=True):
        assert marks["success"] == 0, (task.prompt, marks)
        assert marks.get("preservation", 60) > 59


def test_losing_another_object_is_seen() -> None:
    tasks = [t for t in evaluation_tasks(FULL, 200) if t.skill == "replace" and len(t.target.items) > 1][:4]
    lost = [replace(task.target, items=(task.subject,)) for task in tasks if task.subject]
    for marks in judged(FULL, tasks, Composer().paint(lost)):
        assert marks["object"] == 1
        assert marks["untouched"] == 0
        assert marks["success"] == 0


def test_cases_of_a_slice_are_the_first_of_all() -> None:
    assert evaluation_tasks(PLAIN, 600)[:40] == evaluation_tasks(PLAIN, 40)


def test_errors_of_reading_are_counted_per_character() -> None:
    assert error_rate("OPEN", "OPEN") == 0
    assert error_rate("OPN", "OPEN") == 0.25
    assert error_rate("", "店") == 1


def test_intervals_are_wilsons() -> None:
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.49, 0.943)


@pytest.mark.parametrize(("values", "said"), [([0.5], "0.50  of 1"), ([0.5, 0.5], "0.50 ± 0.00  of 2")])
def test_a_mean_is_told_with_the_interval_that_can_be_known(values: list[float], said: str) -> None:
    tasks = evaluation_tasks(PLAIN, len(values))
    marks = [{"success": 1.0, "alpha IoU": value} for value in values]
    report = collect(tasks, marks) | {"autoencoder": {"mean": 30.0, "of": 1, "plus or minus": None}}
    assert said in table(report)
    assert "nan" not in table(report) + markdown(report)
