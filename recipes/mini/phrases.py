"""Sentences: several templates per skill and language, and which of them training never sees.

A template is wrapped into a form ("please ..."); a held-out one is a pair of template and form that
does not occur in training, though its words do. Knows nothing of scenes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from recipes.mini.words import CHINESE, ENGLISH

FORMS = {
    ENGLISH: ("{}", "{}", "{}", "please {}", "{} please", "can you {}", "now {}", "{}."),
    CHINESE: ("{}", "{}", "{}", "请{}", "{}。", "帮我{}", "现在{}"),
}
DESCRIPTIONS = {ENGLISH: ("{}", "{}", "{}."), CHINESE: ("{}", "{}", "{}。")}
JOINED = {ENGLISH: (" and ", ", then ", " and then "), CHINESE: ("，然后", "，再", "，并且")}

# Skill -> templates; the last one meets the fourth form ("please ...") only in evaluation.
ENGLISH_TEMPLATES: dict[str, tuple[str, ...]] = {
    "generate": (
        "{what} on a {ground} background",
        "{what} with a {ground} background",
        "a picture of {what} on a {ground} background",
        "{what}, {ground} background",
        "{ground} background, {what}",
        "an image of {what} with a {ground} background",
        "draw {what} with a {ground} background",
        "draw {what} on a {ground} background",
        "a picture of {what}, {ground} background",
    ),
    "add": (
        "put {new} {where}",
        "place {new} {where}",
        "draw {new} {where}",
        "insert {new} {where}",
        "add {new} {where}",
    ),
    "remove": ("remove {old}", "take away {old}", "erase {old}", "get rid of {old}", "delete {old}"),
    "replace": (
        "replace {old} with {new}",
        "change {old} to {new}",
        "change {old} into {new}",
        "make {old} {new}",
        "swap {old} for {new}",
        "turn {old} into {new}",
    ),
    "recolour": ("make {old} {colour}", "paint {old} {colour}", "turn {old} {colour}", "color {old} {colour}"),
    "move": ("put {old} {where}", "shift {old} so that it is {where}", "place {old} {where}", "move {old} {where}"),
    "bigger": ("make {old} bigger", "enlarge {old}", "make {old} larger"),
    "smaller": ("make {old} smaller", "shrink {old}", "reduce the size of {old}"),
    "background": (
        "make the background {background}",
        "set the background to {background}",
        "turn the background into {background}",
        "use {background} as the background",
        "change the background to {background}",
    ),
    "write": (
        'write "{words}" {where}',
        'put the text "{words}" {where}',
        'add a caption "{words}" {where}',
        'add the text "{words}" {where}',
    ),
    "sign": ('put up a sign saying "{words}" {where}', 'add a sign that says "{words}" {where}'),
    "reword": ('replace the text with "{words}"', 'make the text say "{words}"', 'change the text to "{words}"'),
    "unwrite": ("remove the text", "erase the words", "delete the text"),
    "restyle": ("make it {style}", "redraw it in {style} style", "change the style to {style}"),
    "extract": (
        "extract {old} on a transparent background",
        "cut out {old}",
        "keep only {old} and make the rest transparent",
        "isolate {old} on a transparent background",
    ),
    "combine": (
        "put {old} from picture {number} into {base} {where}",
        "add {old} of picture {number} to {base} {where}",
        "place {old} from picture {number} in {base} {where}",
    ),
}
CHINESE_TEMPLATES: dict[str, tuple[str, ...]] = {
    "generate": (
        "{ground}背景上有{what}",
        "{what}，{ground}背景",
        "一张图，{ground}背景，{what}",
        "{ground}背景，{what}",
        "画{what}，背景是{ground}",
        "画{what}，{ground}背景",
    ),
    "add": ("{where}加{new}", "在{where}放{new}", "{where}画{new}", "添加{new}在{where}", "在{where}添加{new}"),
    "remove": ("去掉{old}", "把{old}去掉", "把{old}删掉", "移除{old}", "删除{old}"),
    "replace": ("把{old}换成{new}", "用{new}替换{old}", "将{old}替换为{new}", "将{old}改成{new}", "把{old}变成{new}"),
    "recolour": ("把{old}变成{colour}", "将{old}改为{colour}", "把{old}涂成{colour}"),
    "move": ("把{old}放到{where}", "将{old}移到{where}", "把{old}移动到{where}"),
    "bigger": ("把{old}变大", "放大{old}"),
    "smaller": ("把{old}变小", "缩小{old}"),
    "background": (
        "背景换成{background}",
        "将背景变为{background}",
        "把背景变成{background}",
        "背景改为{background}",
        "把背景改成{background}",
    ),
    "write": ("在{where}写“{words}”", "{where}加上文字“{words}”", "在{where}添加文字“{words}”"),
    "sign": ("在{where}放一块写着“{words}”的牌子", "{where}加一个写有“{words}”的牌子"),
    "reword": ("把文字换成“{words}”", "将文字改为“{words}”", "把文字改成“{words}”"),
    "unwrite": ("去掉文字", "把文字删掉", "删除文字"),
    "restyle": ("换成{style}风格", "把画面变成{style}风格", "改成{style}风格"),
    "extract": ("抠出{old}，背景透明", "只保留{old}，其余透明", "把{old}抠出来"),
    "combine": (
        "把图{number}的{old}放到{base}的{where}",
        "将图{number}里的{old}加到{base}的{where}",
        "把图{number}中的{old}添加到{base}的{where}",
    ),
}
# Said only of some backgrounds, beside the general templates.
SPECIAL = {
    ENGLISH: {"overcast sky": ("make the sky overcast", "make it cloudy"), "night": ("make it night",)},
    CHINESE: {"overcast sky": ("让天空变阴", "把天空变成阴天"), "night": ("变成夜晚",)},
}
HELD_OUT_DESCRIPTIONS = {ENGLISH: 2, CHINESE: 1}


@dataclass(frozen=True)
class Phrasings:
    """Templates of one skill seen in training, and templates kept for evaluation."""

    seen: tuple[str, ...]
    held_out: tuple[str, ...]

    def draw(self, rng: random.Random, held_out: bool) -> str:
        return rng.choice(self.held_out if held_out else self.seen)


def _phrasings(skill: str, language: str, templates: tuple[str, ...]) -> Phrasings:
    if skill == "generate":
        kept = templates[-HELD_OUT_DESCRIPTIONS[language] :]
        forms = DESCRIPTIONS[language]
        return Phrasings(tuple(form.replace("{}", t) for t in templates if t not in kept for form in forms), kept)
    forms = FORMS[language]
    kept = (forms[3].replace("{}", templates[-1]),)
    seen = (form.replace("{}", template) for template in templates for form in forms)
    return Phrasings(tuple(words for words in seen if words not in kept), kept)


PHRASINGS: dict[str, dict[str, Phrasings]] = {
    language: {skill: _phrasings(skill, language, templates) for skill, templates in table.items()}
    for language, table in ((ENGLISH, ENGLISH_TEMPLATES), (CHINESE, CHINESE_TEMPLATES))
}
