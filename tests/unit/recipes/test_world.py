"""The world and its tasks: painted exactly, drawn by seed, worded in two languages, fenced off for evaluation."""

from __future__ import annotations

import itertools

import pytest
import torch

from recipes.mini.backgrounds import COLOURS
from recipes.mini.composer import CODE_LENGTH, Composer, encode, to_uint8
from recipes.mini.glyphs import CHARACTERS, load_glyphs
from recipes.mini.objects import ASSETS, NAMES, THINGS, load_sprites
from recipes.mini.phrases import PHRASINGS
from recipes.mini.scenes import Item, Scene, Text, overlap, stand
from recipes.mini.tasks import UNCONDITIONAL, Task, evaluation_tasks, training_tasks
from recipes.mini.tokenizer import SYSTEM, Prompts, special_ids, train_tokenizer
from recipes.mini.world import FULL, PLAIN, WIDE, World, scene_held_out

WORLDS = pytest.mark.parametrize("world", [PLAIN, WIDE, FULL], ids=lambda world: world.name)


def first_tasks(world: World, count: int, seed: int = 1) -> list[Task]:
    return list(itertools.islice(training_tasks(world, seed), count))


def test_every_thing_has_a_visible_and_different_sprite_in_both_styles() -> None:
    sprites = load_sprites().float() / 255
    assert sprites.shape == (2, len(THINGS), 4, 128, 128)
    assert len(THINGS) >= 120
    assert (sprites[:, :, 3].mean((2, 3)) > 0.08).all()
    flat = (sprites[:, :, :3] * sprites[:, :, 3:]).flatten(0, 1).flatten(1)
    distances = torch.cdist(flat, flat) + 1e9 * torch.eye(len(flat))
    assert distances.min() > 10


def test_names_are_unique_in_both_languages() -> None:
    assert len(set(NAMES)) == len({thing.chinese for thing in THINGS}) == len(THINGS)


def test_every_character_has_a_shape_of_its_own() -> None:
    glyphs = load_glyphs().float().flatten(1) / 255
    distances = torch.cdist(glyphs, glyphs) + 1e9 * torch.eye(len(CHARACTERS))
    assert distances.min() > 3


def test_a_scene_is_its_background_with_the_sprite_blended_in_its_box() -> None:
    painted = (Composer().paint([Scene("blue", (stand(3, "left", 128),))])[0] + 1) / 2
    sprite = load_sprites()[0, 3].float() / 255
    blue = torch.tensor(COLOURS["blue"])[:, None, None] / 255
    expected = sprite[:3] * sprite[3] + blue * (1 - sprite[3])
    torch.testing.assert_close(painted[:3, 64:192, :128], expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(painted[:3, :, 128:], blue.expand(3, 256, 128))
    assert (painted[3] == 1).all()


def test_on_transparency_the_object_keeps_its_own_alpha() -> None:
    painted = (Composer().paint([Scene("transparent", (stand(3, "left", 128),))])[0] + 1) / 2
    torch.testing.assert_close(painted[3, 64:192, :128], load_sprites()[0, 3, 3].float() / 255, atol=1e-4, rtol=0)
    assert (painted[3, :, 128:] == 0).all()


def test_half_the_side_is_the_same_picture_smaller() -> None:
    scenes = [task.target for task in first_tasks(PLAIN, 8)]
    large = torch.nn.functional.avg_pool2d(Composer().paint(scenes), 2)
    assert (large - Composer(side=128).paint(scenes)).abs().mean() < 0.01


@WORLDS
def test_painting_many_scenes_at_once_equals_painting_each_alone(world: World) -> None:
    composer = Composer(side=world.side)
    scenes = [task.target for task in first_tasks(world, 12, seed=3)]
    alone = torch.cat([composer.paint([scene]) for scene in scenes])
    torch.testing.assert_close(composer.paint(scenes), alone, atol=1e-5, rtol=0)
    assert to_uint8(alone).dtype == torch.uint8


def test_a_window_is_a_part_of_the_picture() -> None:
    composer = Composer()
    scenes = [task.target for task in first_tasks(FULL, 6)]
    part = composer.window((32, 64, 160, 256)).paint(scenes)
    torch.testing.assert_close(part, composer.paint(scenes)[:, :, 64:256, 32:160], atol=1e-5, rtol=0)


def test_a_tint_recolours_the_object_alone() -> None:
    plain, blue = Composer().paint([Scene("white", (stand(0, "center", 96, tint=tint),)) for tint in (0, 6)])
    assert (plain[3] == blue[3]).all()
    changed = (plain - blue).abs().amax(0) > 1e-3
    assert not changed[:80].any()
    assert changed[80:176, 80:176].float().mean() > 0.3
    assert blue[2, 128, 128] > blue[0, 128, 128]


def test_labels_say_what_covers_each_cell() -> None:
    scene = Scene("red", (stand(5, "top left", 64),), Text("AB", "bottom"))
    labels = Composer().label(encode([scene]), 16)
    kinds, parts = labels.kinds.reshape(16, 16), labels.parts.reshape(16, 16)
    assert (kinds[2:6, 2:6] == 6).all()
    assert kinds[:2].sum() == 0
    assert parts[2:6, 2:6].flatten().tolist() == list(range(16))
    first, second = (1 + len(THINGS) + CHARACTERS.index(letter) for letter in "AB")
    assert kinds[13, 6:10].tolist() == [first, first, second, second]


@WORLDS
def test_objects_of_a_scene_hardly_touch(world: World) -> None:
    for task in first_tasks(world, 300):
        for first, second in itertools.combinations(task.target.items, 2):
            assert not overlap(first.box, second.box), task


def test_what_does_not_fit_a_sign_is_refused() -> None:
    with pytest.raises(ValueError, match="words"):
        Text("MUCHTOOLONG")
    with pytest.raises(ValueError, match="words"):
        Text("é")


def test_an_item_knows_the_place_nearest_to_it() -> None:
    assert Item(0, 8, 100, 64).place == "left"
    assert stand(0, "bottom right", 96).place == "bottom right"


def test_codes_have_one_length() -> None:
    assert {len(task.target.code) for task in first_tasks(FULL, 200)} == {CODE_LENGTH}


@WORLDS
def test_the_same_seed_draws_the_same_tasks(world: World) -> None:
    assert first_tasks(world, 50, seed=5) == first_tasks(world, 50, seed=5)
    assert first_tasks(world, 50, seed=5) != first_tasks(world, 50, seed=6)


@WORLDS
def test_training_never_shows_what_evaluation_asks(world: World) -> None:
    tasks = first_tasks(world, 3000)
    assert {task.skill for task in tasks} == set(world.skills)
    assert not any(scene_held_out(scene) for task in tasks for scene in (*task.sources, task.target))
    seen = {task.prompt for task in tasks} - {UNCONDITIONAL}
    cases = evaluation_tasks(world, 120)
    assert all(any(map(scene_held_out, (*case.sources, case.target))) for case in cases)
    new = [case for case in cases if case.held_out_phrasing and case.skill not in ("several", "unwrite")]
    assert len(new) > 20
    assert not seen & {case.prompt for case in new}
    assert cases == evaluation_tasks(world, 120)


@WORLDS
def test_an_edit_changes_something_and_speaks_both_languages(world: World) -> None:
    tasks = [task for task in first_tasks(world, 1500) if task.sources]
    assert all(task.sources[-1] != task.target for task in tasks)
    spoken = {(task.skill, task.language) for task in tasks}
    assert spoken == {(skill, lang) for skill in world.skills if skill != "generate" for lang in ("en", "zh")}


def test_seen_and_unseen_phrasings_are_different_sentences() -> None:
    for skills in PHRASINGS.values():
        for phrasings in skills.values():
            assert phrasings.held_out
            assert not set(phrasings.seen) & set(phrasings.held_out)


def test_both_languages_know_the_same_skills() -> None:
    assert PHRASINGS["en"].keys() == PHRASINGS["zh"].keys()


def test_the_tokenizer_writes_any_text_and_knows_the_system_turn() -> None:
    tokenizer = train_tokenizer(prompts=500)
    text = "把背景改成蓝色 🦄 naïve"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    prompts = Prompts(tokenizer, grid=16)
    ids = prompts.encode("add a cat", pictures=2)
    assert ids[: prompts.drop] == tokenizer.encode(SYSTEM).ids
    assert ids.count(special_ids(tokenizer)["<|image_pad|>"]) == 128


def test_the_prompt_is_the_engines() -> None:
    from overpaint.model.prompt import render_prompt

    tokenizer = train_tokenizer(prompts=200)
    ids = Prompts(tokenizer, grid=2).encode("add a cat", pictures=2)
    assert tokenizer.decode(ids, skip_special_tokens=False) == render_prompt("add a cat", 2)


def test_sheets_carry_their_licences() -> None:
    notice = (ASSETS / "NOTICE").read_text()
    for name in ("Fluent Emoji", "Noto Emoji", "Noto Sans SC", "CLDR"):
        assert name in notice
    for licence in ("LICENSE-MIT", "LICENSE-APACHE", "LICENSE-OFL", "LICENSE-UNICODE"):
        assert (ASSETS / licence).read_text()
