"""How much of the world a run learns, and what of it is fenced off from training.

`full` is everything; `plain` is what two cores can learn in an hour or two: one style, two large
objects on fixed places, plain colours, 128 x 128 pixels. Knows nothing of words or pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from recipes.mini.backgrounds import COLOUR_NAMES, GROUNDS
from recipes.mini.objects import STYLES, THINGS
from recipes.mini.scenes import SIDE, SIZES, Scene


@dataclass(frozen=True)
class World:
    """The extent of a run's world; `skills` gives each skill its share of the training tasks."""

    name: str
    side: int
    things: int
    styles: int
    most_items: int
    free: bool  # free positions and sizes, flips, tints, corners, texts, painted grounds
    skills: dict[str, float]
    chinese: float = 0.4  # share of instructions

    def size(self, count: int) -> int:
        """How large an object is when nothing else is said and `count` objects are there."""
        return SIZES[-1] if not self.free else {1: SIZES[2], 2: SIZES[1]}.get(count, SIZES[0])


PLAIN = World(
    name="plain",
    side=SIDE // 2,
    things=28,
    styles=1,
    most_items=2,
    free=False,
    skills={"generate": 0.34, "add": 0.12, "remove": 0.2, "replace": 0.29, "background": 0.05},
    chinese=0.6,
)
FULL = World(
    name="full",
    side=SIDE,
    things=len(THINGS),
    styles=len(STYLES),
    most_items=4,
    free=True,
    skills={
        "generate": 0.24,
        "add": 0.09,
        "remove": 0.08,
        "replace": 0.13,
        "recolour": 0.06,
        "move": 0.06,
        "resize": 0.04,
        "background": 0.07,
        "write": 0.06,
        "reword": 0.03,
        "unwrite": 0.01,
        "restyle": 0.03,
        "extract": 0.04,
        "combine": 0.03,
        "several": 0.03,
    },
)
WORLDS = {world.name: world for world in (PLAIN, FULL)}
_ORDER = {name: index for index, name in enumerate((*COLOUR_NAMES, *GROUNDS))}


def combination_held_out(thing: int, background: str) -> bool:
    """Each object misses a tenth of the backgrounds in training."""
    index = _ORDER[background.partition(">")[0]]
    return (7 * thing + 3 - index) % 10 == 0


def pair_held_out(first: int, second: int) -> bool:
    """About one pair of objects in thirteen never meets in training."""
    low, high = sorted((first, second))
    return (3 * low + 5 * high) % 13 == 0


def scene_held_out(scene: Scene) -> bool:
    """True when training must not show this scene."""
    things = [item.thing for item in scene.items]
    if any(combination_held_out(thing, scene.background) for thing in things):
        return True
    return any(pair_held_out(a, b) for i, a in enumerate(things) for b in things[:i])
