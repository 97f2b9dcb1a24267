"""What the figures are held to, and what others publish for the same picture. Plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PUBLISHED_S = {
    "SGLang generation": 4.48,
    "SGLang edit": 5.29,
    "vLLM-Omni generation": 4.83,
    "diffusers generation": 6.2,
}
"""Seconds for 1024x1024 at 40 steps on one H200, as their makers publish them, whole requests."""

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """One bound.

    Args:
        what: in words.
        case: whose figures.
        read: the value in them.
        bound: what it must reach.
        is_least: whether more is better.
    """

    what: str
    case: str
    read: Callable[[Figures], float]
    bound: float
    is_least: bool = False

    def is_met_by(self, value: float) -> bool:
        """Whether a value is good enough."""
        return value >= self.bound if self.is_least else value <= self.bound


def _best(figures: Figures, key: str, choose: Callable[..., float]) -> float:
    return choose(figures[key][side] for side in ("ours", "compiled") if side in figures[key])


TARGETS = (
    Target("generation 1024x1024, 40 steps, with decoding, s", "generation", lambda it: _best(it, "total_s", min), 4.4),
    Target("share of the measured peak", "generation", lambda it: _best(it, "share_of_peak", max), 0.75, is_least=True),
    Target("edit of one reference, with decoding, s", "edit", lambda it: _best(it, "total_s", min), 5.2),
    Target("generation in fp8, with decoding, s", "fp8", lambda it: it["total_s"], 3.2),
    Target("512x512: 16 together over one", "batch", lambda it: it["gain"], 3.2, is_least=True),
    Target("8-step edit of 4 references: warm over cold", "prefix", lambda it: it["4"]["gain"], 1.25, is_least=True),
    Target("8-step edit of 10 references: warm over cold", "prefix", lambda it: it["10"]["gain"], 1.6, is_least=True),
    Target("edit on a card of 24 GiB, peak GiB", "cards", lambda it: it["24"]["bf16"]["peak_gib"], 24.0),
    Target("edit on a card of 16 GiB, peak GiB", "cards", lambda it: it["16"]["bf16"]["peak_gib"], 16.0),
)


def rows_of(figures: Mapping[str, Figures]) -> list[list[str]]:
    """A row for each target: value, bound, verdict; only of cases that were measured."""
    rows: list[list[str]] = []
    for target in TARGETS:
        if target.case not in figures:
            continue
        try:
            value = target.read(figures[target.case])
        except (KeyError, TypeError):
            rows.append([target.what, "not measured", "", ""])
            continue
        sign = ">=" if target.is_least else "<="
        verdict = "met" if target.is_met_by(value) else "MISSED"
        rows.append([target.what, f"{value:.3g}", f"{sign} {target.bound}", verdict])
    return rows
