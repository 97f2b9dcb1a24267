"""Scenes as values: a background, up to four objects, and a short text. Units are 256ths of a side.

`Scene.code` is the row of integers that `composer.py` paints from. Knows nothing of prompts or pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from recipes.mini.backgrounds import COLOUR_NAMES, encode_background, is_dark
from recipes.mini.glyphs import CHARACTERS, GLYPH_SIZE

SIDE = 256
MOST_ITEMS = 4
MOST_LETTERS = 6
SIZES = (64, 96, 128)  # small, medium, large
FREE_SIZES = (64, 80, 96, 112, 128)
FREE_STEP = 8
ITEM_FIELDS = 7
CODE_LENGTH = MOST_ITEMS * ITEM_FIELDS + 3 + MOST_LETTERS + 3

# Column and row of each named place.
PLACES: dict[str, tuple[int, int]] = {
    "left": (0, 1),
    "right": (2, 1),
    "center": (1, 1),
    "top": (1, 0),
    "bottom": (1, 2),
    "top left": (0, 0),
    "top right": (2, 0),
    "bottom left": (0, 2),
    "bottom right": (2, 2),
}
PLACE_OF_CELL = {cell: name for name, cell in PLACES.items()}
OPPOSITE: dict[str, str] = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
TINTS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "gray")
Box = tuple[int, int, int, int]  # left, top, right, bottom


def corner(place: str, size: int) -> tuple[int, int]:
    """Left and top of an object on a named place: on the latents' grid, its middle the same at any size."""
    margin = (SIZES[-1] - size) // 2
    steps = (margin, (SIDE - size) // 2, SIDE - size - margin)
    column, row = PLACES[place]
    return steps[column], steps[row]


@dataclass(frozen=True)
class Item:
    """One object. `tint` is 0 for its own colours, or 1 + the index of one of `TINTS`."""

    thing: int
    x: int
    y: int
    size: int
    style: int = 0
    tint: int = 0
    flip: bool = False

    @property
    def box(self) -> Box:
        return self.x, self.y, self.x + self.size, self.y + self.size

    @property
    def place(self) -> str:
        """The named place nearest to its middle."""
        half = self.size // 2
        return PLACE_OF_CELL[min(2, (self.x + half) * 3 // SIDE), min(2, (self.y + half) * 3 // SIDE)]

    @property
    def code(self) -> list[int]:
        return [self.thing, self.style, self.x, self.y, self.size, self.tint, int(self.flip)]


def stand(thing: int, place: str, size: int, style: int = 0, tint: int = 0) -> Item:
    """An object on a named place."""
    x, y = corner(place, size)
    return Item(thing, x, y, size, style, tint)


@dataclass(frozen=True)
class Text:
    """Up to six characters in a row at the top or bottom, bare or on a white sign."""

    words: str
    row: str = "bottom"
    sign: bool = False

    def __post_init__(self) -> None:
        if not 0 < len(self.words) <= MOST_LETTERS or set(self.words) - set(CHARACTERS):
            raise ValueError(f"words: {self.words!r} must be 1 to {MOST_LETTERS} of the known characters")

    @property
    def letters(self) -> Box:
        """The box of the characters themselves."""
        half, top = len(self.words) * GLYPH_SIZE // 2, 16 if self.row == "top" else 208
        return SIDE // 2 - half, top, SIDE // 2 + half, top + GLYPH_SIZE

    @property
    def box(self) -> Box:
        left, top, right, bottom = self.letters
        return (left - 16, top - 8, right + 16, bottom + 8) if self.sign else (left, top, right, bottom)


@dataclass(frozen=True)
class Scene:
    """A background and what stands on it. Objects hardly overlap, so their order is not shown."""

    background: str
    items: tuple[Item, ...] = ()
    text: Text | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scene):
            return NotImplemented
        same = self.background == other.background and self.text == other.text
        return same and set(self.items) == set(other.items)

    def __hash__(self) -> int:
        return hash((self.background, frozenset(self.items), self.text))

    @property
    def code(self) -> list[int]:
        """`CODE_LENGTH` integers: objects (thing -1: none), background, characters, row, sign, ink."""
        rows = [item.code for item in self.items]
        rows += [[-1, 0, 0, 0, 64, 0, 0]] * (MOST_ITEMS - len(rows))
        return [number for row in rows for number in row] + [*encode_background(self.background), *self._letters()]

    def _letters(self) -> list[int]:
        if self.text is None:
            return [-1] * MOST_LETTERS + [0, 0, 0]
        letters = [CHARACTERS.index(letter) for letter in self.text.words]
        light = is_dark(self.background) and not self.text.sign
        flags = [int(self.text.row == "bottom"), int(self.text.sign), int(light)]
        return letters + [-1] * (MOST_LETTERS - len(letters)) + flags


def overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def tint_colour(tint: int) -> int:
    """Index among the background colours of a tint, which must not be 0."""
    return COLOUR_NAMES.index(TINTS[tint - 1])
