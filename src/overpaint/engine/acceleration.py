"""What the levels of acceleration mean: at which steps, and how freely, work may be left out. Plain numbers.

The first steps decide what is where and the last ones how it looks, so nothing is left out near either end; a run of a
few steps has no middle and is never accelerated.
"""

from math import ceil

from overpaint.core.request import Acceleration
from overpaint.model.step_memo import SkipRule

RULES: dict[Acceleration, SkipRule | None] = {
    "none": None,
    "regular": SkipRule(max_change=0.12, max_in_a_row=1),
    "high": SkipRule(max_change=0.3, max_in_a_row=3),
}
_MIN_STEPS = 8
_WHOLE_AT_START = 0.2
_WHOLE_AT_END = 0.1


def may_skip_at(step: int, num_steps: int) -> bool:
    """Whether step `step` of `num_steps`, counted from 0, is far enough from both ends."""
    start, end = ceil(_WHOLE_AT_START * num_steps), num_steps - ceil(_WHOLE_AT_END * num_steps)
    return num_steps >= _MIN_STEPS and start <= step < end
