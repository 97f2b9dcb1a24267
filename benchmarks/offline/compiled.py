"""A step as it is written against a step with what lies between products compiled, at a few sizes and packs.

    python -m benchmarks.offline.compiled [--dtype auto] [--rounds 30] [--save]

Both in one process, in turn, on the same weights.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch

from benchmarks.report import report
from overpaint.core.config import ModelConfig
from overpaint.model.checkpoint import load_checkpoint
from overpaint.model.compiling import compile_step
from overpaint.model.inputs import PrefixInput, StepInput
from overpaint.model.layout import layout_prefix
from overpaint.model.pointwise import Pointwise
from overpaint.model.transformer import PackedTransformer

_PREFIX_TOKENS = 40
_PACKS = ((64, 1), (128, 1), (256, 1), (128, 8), (256, 4))
"""Side of the pictures, and how many of them."""


def step_input(transformer: PackedTransformer, side: int) -> StepInput:
    """A picture of this side on a prefix of a few words."""
    grid = (side // 16, side // 16)
    cache = transformer.new_cache(layout_prefix([False] * _PREFIX_TOKENS, []))
    txt = torch.randn(_PREFIX_TOKENS, transformer.context_channels, device=transformer.device)
    transformer.prefill([PrefixInput(cache.layout.segments, txt, (), cache)])
    latents = torch.randn(grid[0] * grid[1], transformer.latent_channels, device=transformer.device)
    return StepInput(latents, 0.5, grid, cache)


def compare(transformer: PackedTransformer, items: list[StepInput], rounds: int) -> dict[str, float]:
    """Median seconds of a step of each kind, in turn; `transformer` has the compiled one and keeps it."""
    compiled = transformer.pointwise
    kinds = {"written": Pointwise(), "compiled": compiled}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(rounds + 2):
        for name, transformer.pointwise in kinds.items():
            start = time.perf_counter()
            transformer.step(items)[0].cpu()  # waits for the device
            if turn >= 2:  # the first are warm-up
                seconds[name].append(time.perf_counter() - start)
    transformer.pointwise = compiled
    return {name: median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="checkpoint; the bundled one by default")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    arguments = parser.parse_args()
    checkpoint = load_checkpoint(ModelConfig(arguments.model, arguments.device, arguments.dtype))
    transformer = PackedTransformer(checkpoint.transformer)
    start = time.perf_counter()
    compile_step(transformer)
    took_s = time.perf_counter() - start
    found: dict[str, dict[str, float]] = {}
    for side, count in _PACKS:
        found[f"{count} of {side}x{side}"] = compare(
            transformer, [step_input(transformer, side)] * count, arguments.rounds
        )
    rows = [
        [name, *(f"{1000 * it[kind]:.2f} ms" for kind in it), f"{it['written'] / it['compiled']:.2f}x"]
        for name, it in found.items()
    ]
    info = checkpoint.info
    figures = {"device": info.device, "dtype": info.dtype, "compile_s": took_s, "step_s": found}
    title = f"{info.name}, {info.dtype} on {info.device}, compiled in {took_s:.0f} s"
    report("compiled", [title, "as written", "compiled", "ratio"], rows, figures, save=arguments.save)


if __name__ == "__main__":
    main()
