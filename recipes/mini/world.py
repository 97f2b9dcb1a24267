"""How much of the world a run learns, and what of it is fenced off from training.

`full` is everything; `wide` is all of it but texts and free positions, at 128 x 128 pixels; `plain` is what
two cores learn in an hour or two: one style, two large objects on five places, plain colours. Knows nothing
of words or pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from recipes.mini.backgrounds import COLOUR_NAMES, GROUNDS
from recipes.mini.objects import STYLES, THINGS
from recipes.mini.scenes import PLACES, SIDE, SIZES, Scene


@dataclass(frozen=True)
class World:
    """The extent of a run's world; `skills` gives each skill its share of the training tasks.

    `sizes` says how large objects are when one, two, three or four are there and nothing else is said.
    """

    name: str
    side: int
    things: int
    styles: int
    sizes: tuple[int, ...]
    skills: dict[str, float]
    places: tuple[str, ...] = tuple(PLACES)
    rich: bool = True  # tints, gradients and painted grounds
    free: bool = False  # any of five sizes, anywhere, flipped
    texts: bool = False
    flattened: float = 0.0  # share of the shaded scenes that are drawn flat instead
    size_step: int = 32  # what "bigger" and "smaller" mean
    chinese: float = 0.4  # share of instructions

    @property
    def most_items(self) -> int:
        return len(self.sizes)

    def size(self, count: int) -> int:
        """How large an object is when nothing else is said and `count` objects are there."""
        return self.sizes[min(max(count, 1), self.most_items) - 1]


PLAIN = World(
    name="plain",
    side=SIDE // 2,
    things=28,
    styles=1,
    sizes=(SIZES[2], SIZES[2]),
    places=("left", "right", "center", "top", "bottom"),
    rich=False,
    skills={"generate": 0.34, "add": 0.12, "remove": 0.2, "replace": 0.29, "background": 0.05},
    chinese=0.6,
)
WIDE = World(
    name="wide",
    side=SIDE // 2,
    things=len(THINGS),
    styles=len(STYLES),
    sizes=(SIZES[2], SIZES[2], SIZES[0], SIZES[0]),
    flattened=0.7,  # each drawing is met more often when most are of one style
    size_step=64,
    skills={
        "generate": 0.28,
        "add": 0.12,
        "remove": 0.06,
        "replace": 0.16,
        "recolour": 0.05,
        "move": 0.05,
        "resize": 0.02,
        "background": 0.05,
        "restyle": 0.08,
        "extract": 0.03,
        "combine": 0.03,
        "several": 0.07,
    },
    chinese=0.5,
)
FULL = World(
    name="full",
    side=SIDE,
    things=len(THINGS),
    styles=len(STYLES),
    sizes=(SIZES[2], SIZES[1], SIZES[0], SIZES[0]),
    free=True,
    texts=True,
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
WORLDS = {world.name: world for world in (PLAIN, WIDE, FULL)}
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
