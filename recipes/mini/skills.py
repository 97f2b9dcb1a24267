"""The skills: for each, a drawn source, the exact right answer, and the facts its instruction names.

A skill may find that what it drew does not fit, and answers None; the caller draws again. Knows
nothing of sentences or pixels.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from recipes.mini.backgrounds import TRANSPARENT
from recipes.mini.layouts import (
    draw_background,
    draw_scene,
    draw_source,
    draw_text,
    draw_tint,
    draw_words,
    free_places,
    is_clear,
)
from recipes.mini.objects import STYLES
from recipes.mini.scenes import OPPOSITE, SIDE, SIZES, TINTS, Item, Scene, stand
from recipes.mini.speaker import Speaker
from recipes.mini.world import World

Slots = dict[str, str]


@dataclass(frozen=True)
class Draft:
    """A task without its sentence: `template` names its phrasings, `slots` says what they need."""

    template: str
    sources: tuple[Scene, ...]
    target: Scene
    subject: Item | None
    slots: Callable[[Speaker], Slots]
    silent: bool = False  # the place goes without saying
    second: Draft | None = None  # a further edit in the same instruction


def without(scene: Scene, item: Item) -> Scene:
    return replace(scene, items=tuple(other for other in scene.items if other != item))


def exchange(scene: Scene, old: Item, new: Item) -> Scene:
    return replace(scene, items=tuple(new if item == old else item for item in scene.items))


def generate(rng: random.Random, world: World) -> Draft:
    counts = (0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 4) if world.most_items > 2 else (0, 1, 1, 1, 1, 2, 2, 2, 2, 2)
    scene = draw_scene(rng, world, rng.choice(counts))
    subject = rng.choice(scene.items) if scene.items else None

    def slots(say: Speaker) -> Slots:
        return {"what": say.describe(scene), "ground": say.background(scene.background, before_noun=True)}

    return Draft("generate", (), scene, subject, slots)


def add(rng: random.Random, world: World, source: Scene | None = None) -> Draft | None:
    source = source or draw_source(rng, world, (0, 1, 1, 1, 1, 2, 2, 3) if world.most_items > 2 else (0, 1, 1, 1, 1))
    if len(source.items) >= world.most_items:
        return None
    size = world.size(len(source.items) + 1)
    places = free_places(source, size, world)
    absent = [thing for thing in range(world.things) if thing not in {item.thing for item in source.items}]
    if not places:
        return None
    style = source.items[0].style if source.items else 0
    tint = draw_tint(rng, world)
    new = stand(rng.choice(absent), rng.choice(places), size, style, tint)
    obvious = [OPPOSITE.get(item.place) for item in source.items] or ["center"]
    silent = obvious == [new.place] and source.text is None and rng.random() < 0.3

    def slots(say: Speaker) -> Slots:
        return {"new": say.new(new), "where": say.where(new.place)}

    return Draft("add", (source,), replace(source, items=(*source.items, new)), new, slots, silent)


def remove(rng: random.Random, world: World, source: Scene | None = None) -> Draft | None:
    scene = source or draw_source(rng, world, (1, 2, 2, 2, 2, 3, 4))
    if not scene.items:
        return None
    old = rng.choice(scene.items)
    return Draft("remove", (scene,), without(scene, old), old, lambda say: {"old": say.named(old, scene)})


def replace_object(rng: random.Random, world: World, source: Scene | None = None) -> Draft | None:
    scene = source or draw_source(rng, world, (1, 2, 2, 2, 3, 4))
    if not scene.items:
        return None
    old = rng.choice(scene.items)
    absent = [thing for thing in range(world.things) if thing not in {item.thing for item in scene.items}]
    new = replace(old, thing=rng.choice(absent), tint=0, flip=False)

    def slots(say: Speaker) -> Slots:
        return {"old": say.named(old, scene), "new": say.new(new)}

    return Draft("replace", (scene,), exchange(scene, old, new), new, slots)


def recolour(rng: random.Random, world: World, source: Scene | None = None) -> Draft | None:
    scene = source or draw_source(rng, world, (1, 2, 2, 3))
    if not scene.items:
        return None
    old = rng.choice(scene.items)
    new = replace(old, tint=rng.choice([tint for tint in range(1, len(TINTS) + 1) if tint != old.tint]))

    def slots(say: Speaker) -> Slots:
        return {"old": say.named(old, scene), "colour": say.language.colour(TINTS[new.tint - 1])}

    return Draft("recolour", (scene,), exchange(scene, old, new), new, slots)


def move(rng: random.Random, world: World, source: Scene | None = None) -> Draft | None:
    scene = source or draw_source(rng, world, (1, 1, 2, 2, 3))
    if not scene.items:
        return None
    old = rng.choice(scene.items)
    size = max(size for size in SIZES if size <= old.size)
    places = [place for place in free_places(without(scene, old), size, world) if place != old.place]
    if not places:
        return None
    place = rng.choice(places)
    new = replace(stand(old.thing, place, size, old.style, old.tint), flip=old.flip)

    def slots(say: Speaker) -> Slots:
        return {"old": say.named(old, scene), "where": say.where(place)}

    return Draft("move", (scene,), exchange(scene, old, new), new, slots)


def resize(rng: random.Random, world: World, source: Scene | None = None) -> Draft | None:
    """One step up or down, about its middle."""
    scene = source or draw_source(rng, world, (1, 1, 2, 2, 3))
    if not scene.items:
        return None
    old = rng.choice(scene.items)
    grow = rng.random() < 0.5
    size = old.size + (world.size_step if grow else -world.size_step)
    x, y = (min(max(0, start - (size - old.size) // 2), SIDE - size) for start in (old.x, old.y))
    new = replace(old, x=x, y=y, size=size)
    if size not in range(SIZES[0], SIZES[-1] + 1) or not is_clear(new.box, without(scene, old)):
        return None
    template = "bigger" if grow else "smaller"
    return Draft(template, (scene,), exchange(scene, old, new), new, lambda say: {"old": say.named(old, scene)})


def change_background(rng: random.Random, world: World, source: Scene | None = None) -> Draft | None:
    scene = source or draw_source(rng, world, (1, 1, 2, 2, 3))
    name = draw_background(rng, world)
    if name == scene.background:
        return None
    target = replace(scene, background=name)
    return Draft("background", (scene,), target, None, lambda say: {"background": say.background(name)})


def write(rng: random.Random, world: World) -> Draft | None:
    scene, text = draw_source(rng, world, (0, 1, 1, 2, 2)), draw_text(rng)
    bare = replace(scene, text=None)
    if not is_clear(text.box, bare):
        return None

    def slots(say: Speaker) -> Slots:
        return {"words": text.words, "where": say.where(text.row)}

    return Draft("sign" if text.sign else "write", (bare,), replace(bare, text=text), None, slots)


def reword(rng: random.Random, world: World) -> Draft | None:
    scene, text = draw_source(rng, world, (0, 1, 1, 2)), draw_text(rng)
    words = draw_words(rng)
    new = replace(text, words=words)
    bare = replace(scene, text=None)
    if words == text.words or not (is_clear(text.box, bare) and is_clear(new.box, bare)):
        return None
    sources = (replace(bare, text=text),)
    return Draft("reword", sources, replace(bare, text=new), None, lambda _: {"words": words})


def unwrite(rng: random.Random, world: World) -> Draft | None:
    scene, text = draw_source(rng, world, (0, 1, 1, 2)), draw_text(rng)
    bare = replace(scene, text=None)
    if not is_clear(text.box, bare):
        return None
    return Draft("unwrite", (replace(bare, text=text),), bare, None, lambda _: {})


def restyle(rng: random.Random, world: World) -> Draft | None:
    scene = draw_source(rng, world, (1, 1, 2, 2, 3))
    if not scene.items:
        return None
    style = 1 - scene.items[0].style
    target = replace(scene, items=tuple(replace(item, style=style) for item in scene.items))
    subject = rng.choice(target.items)
    return Draft("restyle", (scene,), target, subject, lambda say: {"style": say.language.style(STYLES[style])})


def extract(rng: random.Random, world: World) -> Draft | None:
    scene = draw_source(rng, world, (1, 2, 2, 3))
    if not scene.items or scene.background == TRANSPARENT:
        return None
    kept = rng.choice(scene.items)
    return Draft("extract", (scene,), Scene(TRANSPARENT, (kept,)), kept, lambda say: {"old": say.named(kept, scene)})


def combine(rng: random.Random, world: World) -> Draft | None:
    """An object of the first or second picture into the last of two or three."""
    givers = [draw_source(rng, world, (1, 1, 2)) for _ in range(rng.choice((1, 1, 2)))]
    base = draw_source(rng, world, (0, 1, 1, 2))
    number = rng.randint(1, len(givers))
    giver = givers[number - 1]
    size = world.size(len(base.items) + 1)
    places = free_places(base, size, world)
    if not giver.items or not places or giver.items[0].thing in {item.thing for item in base.items}:
        return None
    old = giver.items[0]
    new = replace(stand(old.thing, rng.choice(places), size, old.style, old.tint), flip=old.flip)

    def slots(say: Speaker) -> Slots:
        last = len(givers) + 1
        base_name = f"图{last}" if say.language.name == "zh" else f"picture {last}"
        named = say.named(old, giver)
        return {"old": named, "number": str(number), "base": base_name, "where": say.where(new.place)}

    return Draft("combine", (*givers, base), replace(base, items=(*base.items, new)), new, slots)


def several(rng: random.Random, world: World) -> Draft | None:
    """Two edits in one instruction, on different objects."""
    edits = (add, remove, replace_object, recolour, move, change_background)
    first_edit, second_edit = rng.sample(edits, 2)
    first = first_edit(rng, world)
    if first is None:
        return None
    second = second_edit(rng, world, first.target)
    if second is None or second.target == first.sources[0]:
        return None
    touched = set(first.target.items) ^ set(first.sources[0].items)
    again = set(second.target.items) ^ set(first.target.items)
    if touched & again:
        return None
    return replace(first, target=second.target, second=second, silent=False)


SKILLS: dict[str, Callable[[random.Random, World], Draft | None]] = {
    "generate": generate,
    "add": add,
    "remove": remove,
    "replace": replace_object,
    "recolour": recolour,
    "move": move,
    "resize": resize,
    "background": change_background,
    "write": write,
    "reword": reword,
    "unwrite": unwrite,
    "restyle": restyle,
    "extract": extract,
    "combine": combine,
    "several": several,
}
