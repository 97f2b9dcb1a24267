"""The two languages: how objects, places, colours, backgrounds and styles are said.

A `Language` turns facts into words and knows no sentence; `phrases.py` holds those.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from recipes.mini.backgrounds import COLOUR_NAMES
from recipes.mini.objects import THINGS

ENGLISH, CHINESE = "en", "zh"

PLACES_ENGLISH: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left side"),
    "right": ("on the right", "on the right side"),
    "center": ("in the center", "in the middle"),
    "top": ("at the top",),
    "bottom": ("at the bottom",),
    "top left": ("at the top left", "in the top left corner"),
    "top right": ("at the top right", "in the top right corner"),
    "bottom left": ("at the bottom left", "in the bottom left corner"),
    "bottom right": ("at the bottom right", "in the bottom right corner"),
}
PLACES_CHINESE: dict[str, tuple[str, ...]] = {
    "left": ("左边", "左侧"),
    "right": ("右边", "右侧"),
    "center": ("中间", "中央"),
    "top": ("上方", "顶部"),
    "bottom": ("下方", "底部"),
    "top left": ("左上角", "左上方"),
    "top right": ("右上角", "右上方"),
    "bottom left": ("左下角", "左下方"),
    "bottom right": ("右下角", "右下方"),
}
COLOURS_CHINESE = dict(
    zip(COLOUR_NAMES, ("白色", "黑色", "灰色", "红色", "橙色", "黄色", "绿色", "蓝色", "紫色", "粉色"), strict=True)
)
# As a noun ("change the background to ..."), and before the word "background".
GROUNDS_ENGLISH: dict[str, tuple[str, str]] = {
    "sky": ("a blue sky", "sky"),
    "overcast sky": ("an overcast sky", "overcast sky"),
    "sunset": ("a sunset", "sunset"),
    "night": ("a night sky", "night sky"),
    "grass": ("grass", "grass"),
    "sand": ("sand", "sand"),
    "sea": ("the sea", "sea"),
    "snow": ("snow", "snow"),
    "wood": ("wood", "wooden"),
    "brick": ("a brick wall", "brick"),
    "room": ("a room", "room"),
    "white studio": ("a white studio", "white studio"),
    "transparent": ("transparent", "transparent"),
}
GROUNDS_CHINESE = {
    "sky": "蓝天",
    "overcast sky": "阴天",
    "sunset": "日落",
    "night": "夜空",
    "grass": "草地",
    "sand": "沙地",
    "sea": "大海",
    "snow": "雪地",
    "wood": "木板",
    "brick": "砖墙",
    "room": "房间",
    "white studio": "白色影棚",
    "transparent": "透明",
}
STYLES_CHINESE = {"flat": "扁平", "shaded": "立体"}
SIZES_CHINESE = {"small": "小", "large": "大"}


def article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


@dataclass(frozen=True)
class Language:
    """English; `Chinese` replaces every method."""

    name: str = ENGLISH

    def place(self, rng: random.Random, place: str) -> str:
        return rng.choice(PLACES_ENGLISH[place])

    def noun(self, thing: int, tint: str | None = None, size: str | None = None) -> str:
        """`apple`, `blue apple`, `small blue apple`."""
        return " ".join(filter(None, (size, tint, THINGS[thing].english)))

    def one(self, rng: random.Random, noun: str) -> str:  # noqa: ARG002
        return article(noun)

    def the(self, noun: str) -> str:
        return f"the {noun}"

    def what_is(self, place: str) -> str:
        """Something that is there, by its place."""
        return f"the object {place}"

    def colour(self, colour: str) -> str:
        return colour

    def style(self, style: str) -> str:
        return style

    def background(self, name: str, before_noun: bool = False) -> str:
        top, _, bottom = name.partition(">")
        if bottom:
            return f"{top} to {bottom} gradient" if before_noun else f"a {top} to {bottom} gradient"
        return GROUNDS_ENGLISH[name][before_noun] if name in GROUNDS_ENGLISH else name


@dataclass(frozen=True)
class Chinese(Language):
    name: str = CHINESE

    def place(self, rng: random.Random, place: str) -> str:
        return rng.choice(PLACES_CHINESE[place])

    def noun(self, thing: int, tint: str | None = None, size: str | None = None) -> str:
        said = THINGS[thing].chinese
        said = f"{COLOURS_CHINESE[tint]}的{said}" if tint else said
        return f"{SIZES_CHINESE[size]}{said}" if size else said

    def one(self, rng: random.Random, noun: str) -> str:
        return rng.choice(("一个", "一个", "")) + noun

    def the(self, noun: str) -> str:
        return noun

    def what_is(self, place: str) -> str:
        return f"{place}的东西"

    def colour(self, colour: str) -> str:
        return COLOURS_CHINESE[colour]

    def style(self, style: str) -> str:
        return STYLES_CHINESE[style]

    def background(self, name: str, before_noun: bool = False) -> str:  # noqa: ARG002
        top, _, bottom = name.partition(">")
        if bottom:
            return f"{COLOURS_CHINESE[top]}到{COLOURS_CHINESE[bottom]}的渐变"
        return GROUNDS_CHINESE.get(name) or COLOURS_CHINESE[name]


LANGUAGES: dict[str, Language] = {ENGLISH: Language(), CHINESE: Chinese()}
