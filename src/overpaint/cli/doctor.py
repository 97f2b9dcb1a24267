"""`overpaint doctor`: is this machine ready, what fits on it, how fast it is, and what is wrong, in plain words."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from overpaint.cli import options
from overpaint.cli.failure import message_of
from overpaint.cli.quiet import hush
from overpaint.cli.session import engine_session
from overpaint.compose.engine import NULL_SCHEME
from overpaint.compose.imports import large_imports
from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.errors import OverpaintError, RequestError
from overpaint.core.model_info import ModelInfo
from overpaint.core.ports import EngineClient
from overpaint.core.request import GenerationRequest
from overpaint.painting import paint
from overpaint.settings import config_path, engine_config_of, model_config_of, read_server_settings

if TYPE_CHECKING:  # importing it imports torch
    from overpaint.cli.machine import Fact

MIB = 1024**2
_STEPS = (1, 3)
_TIMING_S = 2.0
_MAX_PAIRS = 15

Card = Annotated[
    float | None,
    typer.Option(
        "--card",
        help="Say what would fit on a CUDA card of so many GiB, instead of on this machine.",
        show_default=False,
    ),
]


def doctor(
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    memory: options.Memory = None,
    weights: options.Weights = None,
    transformer: options.Transformer = None,
    card: Card = None,
    verbose: options.Verbose = False,
) -> None:
    """Say whether this machine is ready to paint: device, memory, versions, what fits, and the time of one step.

    What fits is counted from the checkpoint's headers. Of a hub id that was not fetched yet, those alone are looked at.
    It is what `overpaint serve` would have room for here: the server's environment and OVERPAINT_CONFIG count.
    Exits with 1 when something is wrong, and says what.

    Examples:
      overpaint doctor

      overpaint doctor --model Qwen/Qwen-Image-2.1 --device cuda

      overpaint doctor --model Qwen/Qwen-Image-2.1 --card 16
    """
    if card is not None and not 0 < card < math.inf:
        raise RequestError("card", card, "must be a number of GiB above 0")
    settings = read_server_settings(options.of_model(model, device, dtype, memory, weights, transformer), config_path())
    scheduling = replace(engine_config_of(settings), trace=None)
    if not verbose:
        hush()
    facts = _examine(model_config_of(settings), scheduling, card, verbose=verbose)
    _print(facts, is_ready=card is None)
    problems = [fact.problem for fact in facts if fact.problem]
    if problems:
        raise typer.Exit(1)


def _examine(model: ModelConfig, scheduling: EngineConfig, card_gib: float | None, *, verbose: bool) -> "list[Fact]":
    """Everything there is to say; a checkpoint that cannot be loaded or run is a fact as well."""
    with large_imports():
        from overpaint.cli.machine import Fact, library_facts, machine_facts

    facts = [] if card_gib else [*machine_facts(), *library_facts()]
    try:
        is_here = _tell_fits(model, scheduling, card_gib, facts)
        if is_here and card_gib is None:
            with engine_session(model, scheduling, verbose=verbose) as (engine, progress):
                facts += [Fact(name, text) for name, text in _checkpoint(engine.info)]
                progress.start("timing a step")
                facts.append(Fact("one step", _time_step(engine)))
    except OverpaintError as exc:
        facts.append(Fact("checkpoint", model.source or "bundled", message_of(exc)))
    return facts


def _tell_fits(model: ModelConfig, scheduling: EngineConfig, card_gib: float | None, facts: "list[Fact]") -> bool:
    """Print what fits, and add what is to be said of it; whether the checkpoint is here."""
    if model.source is not None and model.source.startswith(NULL_SCHEME):
        return True
    from overpaint.cli import fits
    from overpaint.cli.machine import Fact, placer_of, survey, unusable_weights

    found = survey(model)
    placer = placer_of(model, scheduling, found.footprint, card_gib)
    unusable = {} if card_gib else unusable_weights(model)  # of a card elsewhere nobody knows what is installed
    ways = fits.choices(placer, unusable)
    best = fits.recommended(placer, ways)
    of_what = f"{model.source or 'the bundled checkpoint'} on {fits.in_words(placer.device.free_bytes)} of free memory"
    Console(highlight=False).print(f"What fits of {escape(of_what)}:", fits.table(placer, ways, best))
    if not found.is_here:
        facts.append(Fact("checkpoint", f"not here yet; fetching it takes {fits.in_words(found.num_bytes)}"))
    told = fits.flags_of(best, model) if best else "nothing that edits one picture"
    problem = best.hindrance if best else "This checkpoint does not fit on this device, however it is held."
    facts.append(Fact("fits best", told, problem))
    facts += [Fact("not here", why) for why in dict.fromkeys(unusable.values()) if why != problem]
    return found.is_here


def _checkpoint(info: ModelInfo) -> list[tuple[str, str]]:
    num_bytes = _bytes_in(Path(info.path))
    parts = ", ".join(f"{name} {count / 1e6:.1f} M" for name, count in info.num_parameters.items())
    return [
        ("checkpoint", f"{info.name} at {info.path}"),
        ("  size", f"{num_bytes / MIB:.0f} MiB on disk, {sum(info.num_parameters.values()) / 1e6:.1f} M parameters"),
        ("  parts", parts or "none"),
        ("  runs on", f"{info.device} in {info.dtype}"),
        ("  paints", f"{info.sizes.native_area / 1e6:.3g} megapixels at most; larger pictures are resized"),
    ]


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _time_step(engine: EngineClient) -> str:
    """Pairs of short paintings after one to warm up, for a while; the median of their differences leaves only steps."""
    request = [GenerationRequest("an apple", seed=0, steps=steps) for steps in _STEPS]
    paint(engine, request[0])
    differences: list[float] = []
    start = time.monotonic()
    while not differences or (time.monotonic() - start < _TIMING_S and len(differences) < _MAX_PAIRS):
        short, long = (paint(engine, each).timings.denoise_s for each in request)
        differences.append(long - short)
    step_s = median(differences) / (_STEPS[1] - _STEPS[0])
    return f"{step_s * 1000:.1f} ms at the default size"


def _print(facts: "Sequence[Fact]", *, is_ready: bool) -> None:
    console = Console(highlight=False)
    table = Table(box=None, show_header=False, pad_edge=False)
    for fact in facts:
        table.add_row("[red]x[/]" if fact.problem else "[green]ok[/]", fact.name, escape(fact.text))
    console.print(table)
    problems = [fact.problem for fact in facts if fact.problem]
    for problem in problems:
        console.print(f"[red]problem:[/] {escape(problem)}", soft_wrap=True)
    if not problems and is_ready:
        console.print("This machine is ready to paint.")
