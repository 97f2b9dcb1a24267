"""Says what is in a scene: an object by its noun or place, a whole scene in one phrase.

Knows scenes and one language; knows no instructions.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from recipes.mini.objects import STYLES
from recipes.mini.scenes import SIZES, TINTS, Item, Scene
from recipes.mini.words import CHINESE, Language
from recipes.mini.world import World


def tint_name(item: Item) -> str | None:
    return TINTS[item.tint - 1] if item.tint else None


@dataclass
class Speaker:
    """One speaker of one language."""

    rng: random.Random
    language: Language
    world: World

    def where(self, place: str) -> str:
        return self.language.place(self.rng, place)

    def new(self, item: Item, size: str | None = None) -> str:
        """An object that is not there yet: `a blue apple`."""
        return self.language.one(self.rng, self.language.noun(item.thing, tint_name(item), size))

    def named(self, item: Item, scene: Scene) -> str:
        """An object that is there: by its noun, or now and then by its place."""
        alone = sum(other.place == item.place for other in scene.items) == 1
        if alone and self.rng.random() < 0.15:
            return self.language.what_is(self.where(item.place))
        return self.language.the(self.language.noun(item.thing))

    def background(self, name: str, before_noun: bool = False) -> str:
        return self.language.background(name, before_noun)

    def describe(self, scene: Scene) -> str:
        """All of a scene but its background; what is usual is not always said."""
        said = self._objects(list(scene.items))
        chinese = self.language.name == CHINESE
        if scene.items and scene.items[0].style:
            style = self.language.style(STYLES[scene.items[0].style])
            said = f"{said}，{style}风格" if chinese else f"{said} in {style} style"
        if scene.text is not None:
            where, sign = self.where(scene.text.row), scene.text.sign
            if chinese:
                said += f"，{where}{'牌子上' if sign else ''}写着“{scene.text.words}”"
            else:
                said += f' and {"a sign" if sign else "the text"} "{scene.text.words}" {where}'
        return said

    def _objects(self, items: list[Item]) -> str:
        chinese = self.language.name == CHINESE
        if not items:
            return "空白" if chinese else "nothing"
        phrases = [self.new(item, self._size(item, len(items))) for item in items]
        if len(items) == 1:
            silent = items[0].place == "center" and self.rng.random() < 0.7
            return phrases[0] if silent else self._at(phrases[0], items[0].place)
        if len(items) == 2 and self.rng.random() < 0.4:
            related = self._relation(items, phrases)
            if related:
                return related
        said = [self._at(phrase, item.place) for phrase, item in zip(phrases, items, strict=True)]
        return ("，" if chinese else " and ").join(said)

    def _size(self, item: Item, count: int) -> str | None:
        return "small" if item.size == SIZES[0] and self.world.size(count) > SIZES[0] else None

    def _at(self, phrase: str, place: str) -> str:
        where = self.where(place)
        if self.language.name == CHINESE:
            return self.rng.choice(("{1}是{0}", "{1}{0}", "{0}在{1}")).format(phrase, where)
        return f"{phrase} {where}"

    def _relation(self, items: list[Item], phrases: list[str]) -> str | None:
        places = (items[0].place, items[1].place)
        first, second = phrases
        if self.language.name == CHINESE:
            forms = {
                ("left", "right"): ("{}和{}",),
                ("top", "bottom"): ("{}在{}上方",),
                ("bottom", "top"): ("{}在{}下方",),
            }
        else:
            forms = {
                ("left", "right"): ("{} and {}", "{} next to {}"),
                ("top", "bottom"): ("{} above {}",),
                ("bottom", "top"): ("{} below {}",),
            }
        return self.rng.choice(forms[places]).format(first, second) if places in forms else None
