"""Draws scenes at random: objects on named places, or freely, and now and then a short text.

Knows nothing of instructions.
"""

from __future__ import annotations

import random

from recipes.mini.backgrounds import COLOUR_NAMES, GRADIENTS, GROUNDS
from recipes.mini.glyphs import HANZI, LATIN
from recipes.mini.scenes import (
    FREE_SIZES,
    FREE_STEP,
    OPPOSITE,
    SIDE,
    SIZES,
    TINTS,
    Box,
    Item,
    Scene,
    Text,
    overlap,
    stand,
)
from recipes.mini.world import World


def draw_background(rng: random.Random, world: World) -> str:
    if not world.rich:
        return rng.choice(COLOUR_NAMES)
    return rng.choice((rng.choice(COLOUR_NAMES), rng.choice(GROUNDS), rng.choice(GROUNDS), rng.choice(GRADIENTS)))


def draw_words(rng: random.Random) -> str:
    """One to six capitals and digits, or one to four hanzi."""
    if rng.random() < 0.35:
        return "".join(rng.choices(HANZI, k=rng.choice((1, 2, 2, 3, 4))))
    return "".join(rng.choices(LATIN, k=rng.choice((2, 3, 4, 4, 5, 6))))


def draw_text(rng: random.Random) -> Text:
    return Text(draw_words(rng), rng.choice(("top", "bottom", "bottom")), rng.random() < 0.4)


def draw_tint(rng: random.Random, world: World, share: float = 0.15) -> int:
    return rng.randint(1, len(TINTS)) if world.rich and rng.random() < share else 0


def is_clear(box: Box, scene: Scene) -> bool:
    """Whether nothing stands there yet."""
    others = [item.box for item in scene.items] + ([scene.text.box] if scene.text else [])
    return not any(overlap(box, other) for other in others)


def free_places(scene: Scene, size: int, world: World) -> list[str]:
    """Named places where an object of this size touches nothing."""
    boxes = {name: stand(0, name, size).box for name in world.places}
    return [name for name, box in boxes.items() if is_clear(box, scene)]


def draw_scene(rng: random.Random, world: World, count: int, free: bool = False) -> Scene:
    """`count` different objects of one style; `free` moves them off the named places."""
    text = draw_text(rng) if world.texts and rng.random() < 0.12 else None
    scene = Scene(draw_background(rng, world), (), text)
    style = rng.randrange(world.styles)
    if style and rng.random() < world.flattened:
        style = 0
    things = rng.sample(range(world.things), count)
    if not world.rich:
        return _draw_plain(rng, world, scene.background, things)
    for thing in things:
        item = _drop(rng, world, scene, thing, style) if free else _place(rng, world, scene, thing, style, count)
        if item is not None:
            scene = Scene(scene.background, (*scene.items, item), text)
    return scene


def _draw_plain(rng: random.Random, world: World, background: str, things: list[int]) -> Scene:
    """One object anywhere, mostly in the middle, or two on opposite places, mostly side by side."""
    if len(things) == 2:
        first = rng.choice(("left", "left", "left", "right", "right", "right", "top", "bottom"))
        places = [first, OPPOSITE[first]]
    else:
        places = [rng.choice((*world.places, "center", "center", "left", "right"))][: len(things)]
    return Scene(background, tuple(stand(t, p, SIZES[-1]) for t, p in zip(things, places, strict=True)))


def _place(rng: random.Random, world: World, scene: Scene, thing: int, style: int, count: int) -> Item | None:
    """On a named place; a single object mostly in the middle."""
    size = SIZES[0] if count <= 2 and rng.random() < 0.1 else world.size(count)
    places = free_places(scene, size, world)
    if count == 1 and "center" in places and rng.random() < 0.5:
        places = ["center"]
    return stand(thing, rng.choice(places), size, style, draw_tint(rng, world)) if places else None


def _drop(rng: random.Random, world: World, scene: Scene, thing: int, style: int) -> Item | None:
    """Anywhere on the grid of 8 pixels, in any of five sizes; None when ten tries touched something."""
    for _ in range(10):
        size = rng.choice(FREE_SIZES)
        x, y = (rng.randrange(0, SIDE - size + 1, FREE_STEP) for _ in range(2))
        item = Item(thing, x, y, size, style, draw_tint(rng, world), rng.random() < 0.3)
        if is_clear(item.box, scene):
            return item
    return None


def draw_source(rng: random.Random, world: World, counts: tuple[int, ...]) -> Scene:
    """A picture to be edited."""
    count = min(rng.choice(counts), world.most_items)
    return draw_scene(rng, world, count, free=world.free and rng.random() < 0.6)
