"""The world and its tasks: painted exactly, drawn by seed, and fenced off for evaluation."""

from __future__ import annotations

import itertools

import pytest
import torch

from recipes.mini.objects import THINGS, load_sprites
from recipes.mini.scenes import BACKGROUNDS, Composer, Item, Scene, box, to_uint8
from recipes.mini.tasks import (
    OPERATIONS,
    PHRASINGS,
    UNCONDITIONAL,
    evaluation_tasks,
    scene_held_out,
    training_tasks,
)
from recipes.mini.tokenizer import SYSTEM, Prompts, special_ids, train_tokenizer


def test_every_thing_has_a_visible_and_different_sprite() -> None:
    sprites = load_sprites()
    assert sprites.shape == (len(THINGS), 4, 64, 64)
    assert (sprites[:, 3].mean((1, 2)) > 0.1).all()
    for first, second in itertools.combinations(sprites, 2):
        assert (first - second).abs().mean() > 0.02


def test_a_scene_is_its_background_with_the_sprite_blended_in_its_box() -> None:
    scene = Scene("blue", (Item(3, "left"),))
    painted = (Composer().paint([scene])[0] + 1) / 2
    rows, columns = box("left")
    sprite = load_sprites()[3]
    blue = torch.tensor(BACKGROUNDS["blue"])[:, None, None] / 255
    expected = sprite[:3] * sprite[3] + blue * (1 - sprite[3])
    torch.testing.assert_close(painted[:3, rows, columns], expected)
    torch.testing.assert_close(painted[:3, :, 64:], blue.expand(3, 128, 64))
    assert (painted[3] == 1).all()


def test_painting_many_scenes_at_once_equals_painting_each_alone() -> None:
    composer = Composer()
    scenes = [task.target for task in itertools.islice(training_tasks(3), 12)]
    alone = torch.cat([composer.paint([scene]) for scene in scenes])
    assert torch.equal(composer.paint(scenes), alone)
    assert to_uint8(alone).dtype == torch.uint8


def test_two_objects_stand_on_opposite_places() -> None:
    with pytest.raises(ValueError, match="opposite"):
        Scene("red", (Item(0, "left"), Item(1, "top")))


def test_the_same_seed_draws_the_same_tasks() -> None:
    first = list(itertools.islice(training_tasks(5), 50))
    assert first == list(itertools.islice(training_tasks(5), 50))
    assert first != list(itertools.islice(training_tasks(6), 50))


def test_training_never_shows_what_evaluation_asks() -> None:
    tasks = list(itertools.islice(training_tasks(1), 3000))
    assert {task.operation for task in tasks} == set(OPERATIONS)
    assert not any(scene_held_out(task.target) for task in tasks)
    assert not any(task.source and scene_held_out(task.source) for task in tasks)
    seen = {task.prompt for task in tasks} - {UNCONDITIONAL}
    cases = evaluation_tasks(150)
    assert all(scene_held_out(c.target) or (c.source and scene_held_out(c.source)) for c in cases)
    assert not seen & {case.prompt for case in cases if case.held_out_phrasing}
    assert cases == evaluation_tasks(150)


def test_seen_and_unseen_phrasings_are_different_sentences() -> None:
    for phrasings in PHRASINGS.values():
        assert not set(phrasings.seen) & set(phrasings.held_out)


def test_the_tokenizer_writes_any_text_and_knows_the_system_turn() -> None:
    tokenizer = train_tokenizer(prompts=500)
    text = "把背景改成蓝色 🦄 naïve"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    prompts = Prompts(tokenizer, slots=16)
    ids = prompts.encode("add a cat", with_picture=True)
    assert ids[: prompts.drop] == tokenizer.encode(SYSTEM).ids
    assert ids.count(special_ids(tokenizer)["<|image_pad|>"]) == 16
