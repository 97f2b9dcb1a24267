"""Sizes between what was asked and what an engine paints: any size may be asked for, engines paint multiples.

Pure arithmetic over `core.sizes`. `finish` brings the painted picture to the asked size.
"""

import math

from overpaint.core.errors import RequestError
from overpaint.core.sizes import Size, SizeRules, parse_size
from overpaint.core.task import TaskSpec
from overpaint.service.catalogue import OutputRules


def asked_size(asked: str | Size | float | None, rules: OutputRules) -> Size | float | None:
    """What a draft's size means, when the model allows it.

    Raises:
        RequestError: it is no size, or not one that the model takes.
    """
    if isinstance(asked, str):
        text = asked.strip()
        parsed = parse_size(text)
        if not isinstance(parsed, Size) and text not in rules.presets:
            raise RequestError("size", text, f"must be WIDTHxHEIGHT or one of {', '.join(rules.presets)}")
        asked = parsed
    if isinstance(asked, Size):
        short, long = sorted((asked.width, asked.height))
        if short < rules.min_side_px or long > rules.max_side_px:
            raise RequestError("size", str(asked), f"must have sides of {rules.min_side_px} to {rules.max_side_px} px")
    return asked


def painted_size(asked: Size, rules: SizeRules) -> Size:
    """The size nearest in shape that an engine paints for `asked`, not smaller where it can be helped.

    Raises:
        RequestError: it is too long and narrow for the engine.
    """
    short, long = sorted((asked.width, asked.height))
    scale = min(max(1.0, rules.min_side / short), rules.max_side / long)
    sides = (_up(side * scale, rules.multiple) for side in (asked.width, asked.height))
    largest = rules.max_side // rules.multiple * rules.multiple
    width, height = (min(largest, max(_up(rules.min_side, rules.multiple), side)) for side in sides)
    if max(width, height) > rules.max_aspect * min(width, height):
        raise RequestError("size", str(asked), f"must not be longer than {rules.max_aspect:g} times its shorter side")
    return rules.check(Size(width, height))


def engine_size(spec: TaskSpec, rules: SizeRules) -> Size | float | None:
    """What to ask of the engine for a task.

    Raises:
        RequestError: the engine cannot paint it.
    """
    return painted_size(spec.size, rules) if isinstance(spec.size, Size) else spec.size


def _up(side: float, multiple: int) -> int:
    return math.ceil(side / multiple) * multiple
