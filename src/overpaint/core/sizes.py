"""Picture sizes: presets, free `W*H`, the rules a size must keep, and what is painted for what is asked.

Pure arithmetic. Knows nothing of checkpoints; a checkpoint's limits arrive as a `SizeRules`.
"""

import math
import re
from dataclasses import dataclass

from overpaint.core.errors import RequestError

PRESETS: dict[str, tuple[int, int]] = {
    "1:1": (1, 1),
    "16:9": (16, 9),
    "9:16": (9, 16),
    "4:3": (4, 3),
    "3:4": (3, 4),
    "3:2": (3, 2),
    "2:3": (2, 3),
}
_FREE_SIZE = re.compile(r"\s*(-?\d{1,9})\s*[*xX×]\s*(-?\d{1,9})\s*")


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height


@dataclass(frozen=True, slots=True)
class SizeRules:
    """What a checkpoint can be asked for and what it paints itself.

    Args:
        multiple: both sides must be a multiple of this many pixels.
        min_side: smallest side that may be asked for.
        max_side: largest side that may be asked for.
        max_aspect: longest side over shortest.
        default_area: pixels painted when only a shape is asked for.
        native_area: pixels the model paints at most; above it the picture is painted natively and resized. By default
            the largest of the sizes that Qwen-Image-2.1 is recommended at.
    """

    multiple: int = 32
    min_side: int = 64
    max_side: int = 3072
    max_aspect: float = 8.0
    default_area: int = 1024 * 1024
    native_area: int = 2400 * 1792

    def check(self, size: Size) -> Size:
        """Return `size` when it keeps every rule.

        Raises:
            RequestError: naming the rule that `size` breaks.
        """
        rule = self._broken_rule(size)
        if rule:
            raise RequestError("size", str(size), rule)
        return size

    def _broken_rule(self, size: Size) -> str | None:
        short, long = sorted((size.width, size.height))
        if short < self.min_side or long > self.max_side:
            return f"must have sides of {self.min_side} to {self.max_side} px"
        if size.width % self.multiple or size.height % self.multiple:
            return f"must have sides that are multiples of {self.multiple} px (try {self._nearest(size)})"
        if long > self.max_aspect * short:
            return f"must not be longer than {self.max_aspect:g} times its shorter side"
        return None

    def _nearest(self, size: Size) -> Size:
        return Size(
            *(max(self.multiple, round(side / self.multiple) * self.multiple) for side in (size.width, size.height))
        )


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the model paints, and what the caller gets; they differ when the picture is resized afterwards."""

    painted: Size
    delivered: Size

    @property
    def is_resized(self) -> bool:
        """Whether the delivered picture is a resized one."""
        return self.painted != self.delivered


def fit_area(area: int, aspect: float, multiple: int = 32) -> Size:
    """The size of about `area` pixels at `aspect`, both sides rounded to `multiple`.

    Args:
        area: pixels.
        aspect: width over height.
        multiple: rounding step of both sides, at least one step each.

    Source: `calculate_dimensions` of diffusers 0.42.1, pipeline_qwenimage21.py.
    """
    width = math.sqrt(area * aspect)
    height = width / aspect
    return Size(*(max(1, round(side / multiple)) * multiple for side in (width, height)))


def parse_size(text: str) -> Size | float:
    """Read a preset (`"16:9"`, gives its aspect) or a free size (`"1024*768"`, `"1024x768"`).

    Raises:
        RequestError: it is neither.
    """
    text = text.strip()
    if text in PRESETS:
        width, height = PRESETS[text]
        return width / height
    match = _FREE_SIZE.fullmatch(text)
    if not match:
        raise RequestError("size", text, f"must be WIDTHxHEIGHT or one of {', '.join(PRESETS)}")
    return Size(int(match[1]), int(match[2]))


def plan_canvas(asked: Size | float | None, follow: float | None, rules: SizeRules) -> Canvas:
    """Decide what to paint for what is asked.

    Args:
        asked: an exact size, an aspect to paint at the default area, or None.
        follow: aspect of the last reference picture, taken when nothing is asked.
        rules: the checkpoint's rules.

    Raises:
        RequestError: an exact size breaks a rule.
    """
    if not isinstance(asked, Size):
        size = fit_area(rules.default_area, asked or follow or 1.0, rules.multiple)
        return Canvas(size, size)
    rules.check(asked)
    if asked.area <= rules.native_area:
        return Canvas(asked, asked)
    return Canvas(fit_area(rules.native_area, asked.aspect, rules.multiple), asked)
