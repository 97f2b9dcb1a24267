"""Tasks: what is asked of the model, in words, and the scene that is the right answer.

Each operation draws a source scene (none for generation), a target scene and an instruction.
Some phrasings, some object x background combinations and some pairs of objects never occur in
training; `held_out=True` draws from exactly those. Knows nothing of pictures, tokens or models.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from recipes.mini.objects import THINGS
from recipes.mini.scenes import BACKGROUND_NAMES, OPPOSITE, PLACES, Item, Scene

GENERATE, ADD, REMOVE, REPLACE, BACKGROUND = "generate", "add", "remove", "replace", "background"
OPERATIONS = (GENERATE, ADD, REMOVE, REPLACE, BACKGROUND)
WEIGHTS = (0.45, 0.15, 0.12, 0.15, 0.13)
POLISH = (0.25, 0.15, 0.17, 0.35, 0.08)  # for a last stretch on what is hardest to learn
UNCONDITIONAL = " "

WHERE: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left side"),
    "right": ("on the right", "on the right side"),
    "center": ("in the center", "in the middle"),
    "top": ("at the top",),
    "bottom": ("at the bottom",),
}


@dataclass(frozen=True)
class Phrasings:
    """Templates seen in training, and templates kept for evaluation."""

    seen: tuple[str, ...]
    held_out: tuple[str, ...]

    def draw(self, rng: random.Random, held_out: bool) -> str:
        return rng.choice(self.held_out if held_out else self.seen)


PHRASINGS: dict[str, Phrasings] = {
    GENERATE: Phrasings(
        (
            "{what} on a {color} background",
            "{what} with a {color} background",
            "a picture of {what} on a {color} background",
            "draw {what} with a {color} background",
            "{what}, {color} background",
            "{color} background, {what}",
        ),
        ("draw {what} on a {color} background", "a picture of {what}, {color} background"),
    ),
    ADD: Phrasings(
        (
            "add {new} {where}",
            "put {new} {where}",
            "place {new} {where}",
            "draw {new} {where}",
            "please put {new} {where}",
        ),
        ("please add {new} {where}",),
    ),
    REMOVE: Phrasings(
        (
            "remove {old}",
            "take away {old}",
            "delete {old}",
            "erase {old}",
            "please remove {old}",
        ),
        ("please delete {old}",),
    ),
    REPLACE: Phrasings(
        (
            "replace {old} with {new}",
            "turn {old} into {new}",
            "change {old} to {new}",
            "change {old} into {new}",
            "please replace {old} with {new}",
        ),
        ("please turn {old} into {new}",),
    ),
    BACKGROUND: Phrasings(
        (
            "change the background to {color}",
            "make the background {color}",
            "set the background to {color}",
            "turn the background {color}",
            "change the background color to {color}",
            "please make the background {color}",
        ),
        ("please change the background to {color}",),
    ),
}


@dataclass(frozen=True)
class Task:
    """One request and its right answer. `subject` is the object asked for, where there is one."""

    operation: str
    prompt: str
    source: Scene | None
    target: Scene
    subject: Item | None = None
    held_out_phrasing: bool = False


def combination_held_out(thing: int, background: str) -> bool:
    """Each object misses one background in training."""
    return (7 * thing + 3) % len(BACKGROUND_NAMES) == BACKGROUND_NAMES.index(background)


def pair_held_out(first: int, second: int) -> bool:
    """About one pair of objects in thirteen never meets in training."""
    low, high = sorted((first, second))
    return (3 * low + 5 * high) % 13 == 0


def scene_held_out(scene: Scene) -> bool:
    """True when training must not show this scene."""
    things = [item.thing for item in scene.items]
    alone = any(combination_held_out(thing, scene.background) for thing in things)
    return alone or (len(things) == 2 and pair_held_out(things[0], things[1]))


def draw_scene(rng: random.Random, count: int) -> Scene:
    """Any scene with `count` different objects; a single object mostly stands in the centre."""
    background = rng.choice(BACKGROUND_NAMES)
    things = rng.sample(range(len(THINGS)), count)
    if count == 2:
        first = rng.choice(("left", "left", "left", "right", "right", "right", "top", "bottom"))
        places = [first, OPPOSITE[first]]
    else:
        places = [rng.choice((*PLACES, "center", "center", "left", "right"))][:count]
    return Scene(background, tuple(Item(t, p) for t, p in zip(things, places, strict=True)))


def draw_allowed(rng: random.Random, counts: tuple[int, ...], held_out: bool = False) -> Scene:
    """A scene from the training side, or from the other side of the fence."""
    while True:
        scene = draw_scene(rng, rng.choice(counts))
        if scene_held_out(scene) == held_out:
            return scene


def where(rng: random.Random, place: str) -> str:
    return rng.choice(WHERE[place])


def describe(rng: random.Random, scene: Scene) -> str:
    """The objects of a scene in words; unsaid places are the centre, or left then right."""
    items = list(scene.items)
    if not items:
        return "nothing"
    phrases = [THINGS[item.thing].phrase for item in items]
    if len(items) == 1:
        silent = items[0].place == "center" and rng.random() < 0.7
        return phrases[0] if silent else f"{phrases[0]} {where(rng, items[0].place)}"
    relation = {"left": ("and", "next to"), "top": ("above",), "bottom": ("below",)}
    if items[0].place in relation and rng.random() < 0.4:
        return f"{phrases[0]} {rng.choice(relation[items[0].place])} {phrases[1]}"
    said = [f"{text} {where(rng, i.place)}" for text, i in zip(phrases, items, strict=True)]
    return " and ".join(said)


def named(rng: random.Random, item: Item) -> str:
    """An object that is there: by its noun, or now and then by its place."""
    if rng.random() < 0.15:
        return f"the object {where(rng, item.place)}"
    return f"the {THINGS[item.thing].name}"


def generate(rng: random.Random, words: str, held_out: bool) -> Task:
    scene = draw_allowed(rng, (1, 2) if held_out else (0, 1, 1, 1, 1, 2, 2, 2, 2, 2), held_out)
    subject = rng.choice(scene.items) if scene.items else None
    prompt = words.format(what=describe(rng, scene), color=scene.background)
    return Task(GENERATE, prompt, None, scene, subject)


def add(rng: random.Random, words: str, held_out: bool) -> Task:
    target = draw_allowed(rng, (2,) if held_out else (1, 2, 2, 2, 2), held_out)
    new = rng.choice(target.items)
    source = replace(target, items=tuple(item for item in target.items if item != new))
    obvious = bool(source.items) or new.place == "center"
    silent = obvious and rng.random() < 0.3
    place = "" if silent else where(rng, new.place)
    prompt = words.format(new=THINGS[new.thing].phrase, where=place).strip()
    return Task(ADD, prompt, source, target, new)


def remove(rng: random.Random, words: str, held_out: bool) -> Task:
    source = draw_allowed(rng, (1, 2, 2, 2), held_out)
    old = rng.choice(source.items)
    target = replace(source, items=tuple(item for item in source.items if item != old))
    return Task(REMOVE, words.format(old=named(rng, old)), source, target, old)


def replace_object(rng: random.Random, words: str, held_out: bool) -> Task:
    target = draw_allowed(rng, (1, 2, 2), held_out)
    new = rng.choice(target.items)
    while True:
        old = Item(rng.randrange(len(THINGS)), new.place)
        items = tuple(old if item == new else item for item in target.items)
        source = replace(target, items=items)
        fresh = old.thing not in {item.thing for item in target.items}
        if fresh and (held_out or not scene_held_out(source)):
            break
    prompt = words.format(old=named(rng, old), new=THINGS[new.thing].phrase)
    return Task(REPLACE, prompt, source, target, new)


def change_background(rng: random.Random, words: str, held_out: bool) -> Task:
    target = draw_allowed(rng, (1, 2), held_out)
    while True:
        source = replace(target, background=rng.choice(BACKGROUND_NAMES))
        if source != target and (held_out or not scene_held_out(source)):
            break
    return Task(BACKGROUND, words.format(color=target.background), source, target)


MAKERS: dict[str, Callable[[random.Random, str, bool], Task]] = {
    GENERATE: generate,
    ADD: add,
    REMOVE: remove,
    REPLACE: replace_object,
    BACKGROUND: change_background,
}


def draw_task(
    rng: random.Random,
    operation: str | None = None,
    held_out: bool = False,
    new_words: bool = False,
    weights: tuple[float, ...] = WEIGHTS,
) -> Task:
    """One task; `held_out` asks for an unseen combination, `new_words` for an unseen phrasing."""
    chosen = operation or rng.choices(OPERATIONS, weights)[0]
    words = PHRASINGS[chosen].draw(rng, new_words)
    return replace(MAKERS[chosen](rng, words, held_out), held_out_phrasing=new_words)


def training_tasks(seed: int, unconditional: float = 0.08, weights: tuple[float, ...] = WEIGHTS) -> Iterator[Task]:
    """Endless training tasks; a share of them has an empty instruction, for guidance."""
    rng = random.Random(seed)
    while True:
        task = draw_task(rng, weights=weights)
        yield replace(task, prompt=UNCONDITIONAL) if rng.random() < unconditional else task


def evaluation_tasks(count: int, seed: int = 2026, held_out: bool = True) -> list[Task]:
    """Fixed cases, the operations in turn, every third newly phrased; on unseen combinations or on seen ones."""
    rng = random.Random(seed)
    order = [OPERATIONS[index % len(OPERATIONS)] for index in range(count)]
    return [draw_task(rng, operation, held_out, index % 3 == 0) for index, operation in enumerate(order)]
