"""What fits on a device, as a table for people: the same numbers that jobs are admitted by. Loads no weight."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from rich.table import Table

from overpaint.core.config import WEIGHTS, ModelConfig
from overpaint.engine.placing import Fit, Placer

MIB, GIB = 2**20, 2**30
_REFERENCES = (0, 1, 4)
_BY_QUALITY = ("bf16", "int8", "fp8", "int4")
"""Least error first, as measured (docs/howto/small-cards.md)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to hold a checkpoint, and what it comes to.

    Args:
        memory: ``"resident"`` or ``"offload"``.
        weights: one of `core.config.WEIGHTS`.
        fit: on the device.
        hindrance: why it cannot be had here as things are.
    """

    memory: str
    weights: str
    fit: Fit
    hindrance: str | None = None


def choices(placer: Placer, unusable: Mapping[str, str] = MappingProxyType({})) -> list[Choice]:
    """Every way to hold a checkpoint that makes a difference on the device.

    Args:
        placer: places it there.
        unusable: kinds of weights that cannot be had here, each with why.
    """
    kinds = WEIGHTS if placer.footprint.block_bytes is None else ("bf16",)
    placers = [replace(placer, weights=weights) for weights in kinds]
    ways = [("resident", one, one.resident()) for one in placers]
    ways += [("offload", one, one.offloaded()) for one in placers if one.device.has_host]
    return [Choice(memory, one.weights, fit, unusable.get(one.weights)) for memory, one, fit in ways]


def recommended(placer: Placer, among: list[Choice]) -> Choice | None:
    """The one that moves least from the host and, of equals, rounds least; 4 bits only where nothing else fits.

    One that cannot be had here as things are only where no other would do.
    """
    able = [one for one in among if one.fit.can(placer.usual)]
    return min(able, key=_rank, default=None)


def table(placer: Placer, among: list[Choice], best: Choice | None) -> Table:
    """All choices, what each takes, and which jobs it takes."""
    side = placer.footprint.resolution
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "--memory", "--weights", "weights", "streamed", *_titles(side), "at once"):
        drawn.add_column(title, justify="left" if title in ("", "--memory", "--weights") else "right")
    for one in among:
        mark = "[green]>[/]" if one is best else "[red]x[/]" if one.hindrance else ""
        drawn.add_row(mark, one.memory, one.weights, *_cells(placer, one.fit))
    return drawn


def flags_of(choice: Choice, asked: ModelConfig) -> str:
    """What to add to a command for this choice."""
    source = f" --model {asked.source}" if asked.source else ""
    transformer = f" --transformer {asked.transformer}" if asked.transformer else ""
    weights = f" --weights {choice.weights}" if choice.weights != "bf16" else ""
    return f"overpaint serve{source}{transformer} --memory {choice.memory}{weights}"


def in_words(num_bytes: int) -> str:
    """Bytes for people."""
    return f"{num_bytes / GIB:.1f} GiB" if num_bytes >= GIB else f"{num_bytes / MIB:.0f} MiB"


def _titles(side: int) -> Iterator[str]:
    for count in _REFERENCES:
        yield f"edit, {count} ref." if count else f"{side}x{side}"


def _cells(placer: Placer, fit: Fit) -> Iterator[str]:
    streamed = fit.placement.num_streamed
    yield in_words(fit.weight_bytes + fit.visit_bytes)
    yield f"{streamed} of {placer.footprint.num_blocks}" if streamed else "-"
    for count in _REFERENCES:
        demand = placer.demand(placer.footprint.resolution, count)
        peak = in_words(fit.peak_bytes(demand))
        yield f"[green]{peak}[/]" if fit.can(demand) else f"[red]{peak} no[/]"
    yield str(fit.max_running(placer.usual))


def _rank(choice: Choice) -> tuple[bool, bool, int, int, bool]:
    quality = _BY_QUALITY.index(choice.weights)
    return (
        choice.hindrance is not None,
        choice.weights == "int4",
        choice.fit.placement.num_streamed,
        quality,
        choice.memory != "resident",
    )
