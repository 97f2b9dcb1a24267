"""The 7B sizes with random weights on a GPU: 1024x1024, 40 steps, and an edit of one 1024x1024 reference.

    python -m benchmarks.offline.full_size [--rounds 3] [--save]
    python -m benchmarks.offline.full_size --dry-run     shapes only, on the meta device, without a GPU

Transformer and VAE have the sizes of Qwen/Qwen-Image-2.1; the encoder's place is taken by random hidden states of its
width, because both sides run the same encoder once. Both sides paint in turn, ours through the packed forward,
diffusers through its own forward with its KV cache. Prints seconds, the share of this device's measured bf16 peak, and
published figures beside them; the last line is JSON.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from diffusers.models.transformers.transformer_qwenimage21 import QwenImage21KVCache
from torch import Tensor

from benchmarks.offline.floor import StepShape, shape_of
from benchmarks.report import report
from overpaint.model.layout import Grid, PrefixLayout, layout_prefix
from overpaint.model.prefix_cache import PrefixCache
from overpaint.model.sampling import NoiseSchedule, base_sigmas, euler_step
from overpaint.model.transformer import PackedTransformer, PrefixInput, StepInput
from overpaint.model.vae import PictureCodec
from tests.reference.library import AutoencoderKLQwenImage21, QwenImage21Transformer2DModel

# Seconds for 1024x1024 at 40 steps on one H200, as their makers publish them; the first two are generation and edit.
PUBLISHED_S = {
    "SGLang generation": 4.48,
    "SGLang edit": 5.29,
    "vLLM-Omni generation": 4.83,
    "diffusers generation": 6.2,
}
TEXT_TOKENS = 64
STEPS = 40
GRID: Grid = (64, 64)
_PEAK_SIDE = 8192


@dataclass(frozen=True)
class Work:
    """One picture to paint.

    Args:
        references: grids of the reference pictures.
        target: grid of the picture.
    """

    references: tuple[Grid, ...]
    target: Grid = GRID

    @property
    def is_slot(self) -> list[bool]:
        """Text with the vision slots of the references inside."""
        slots = [False] * (TEXT_TOKENS // 2)
        for height, width in self.references:
            slots += [True] * (height * width // 4) + [False] * 4
        return slots + [False] * (TEXT_TOKENS // 2)

    @property
    def layout(self) -> PrefixLayout:
        """Where everything of the prefix stands."""
        return layout_prefix(self.is_slot, self.references)


@dataclass(frozen=True)
class Inputs:
    """Random numbers in the shapes of a request: encoder states, reference latents, noise, all without a batch."""

    hidden: Tensor
    references: tuple[Tensor, ...]
    noise: Tensor


def make_inputs(work: Work, model: Any, dtype: torch.dtype, device: torch.device) -> Inputs:
    """Draw what the encoder and the VAE would give."""

    def draw(tokens: int, channels: int) -> Tensor:
        return torch.randn(tokens, channels, device=device, dtype=dtype)

    channels = model.config.in_channels
    references = tuple(draw(height * width, channels) for height, width in work.references)
    hidden = draw(len(work.is_slot), model.config.context_in_dim)
    return Inputs(hidden, references, draw(work.target[0] * work.target[1], channels))


def sigmas_of(work: Work, steps: int) -> list[float]:
    """The schedule both sides walk."""
    return NoiseSchedule(max_shift=0.9, max_image_seq_len=8192, shift_terminal=0.02).sigmas(
        base_sigmas(steps, None, steps), work.target[0] * work.target[1]
    )


class OurForward:
    """The packed forward.

    Args:
        model: the transformer.
    """

    def __init__(self, model: Any) -> None:
        self._transformer = PackedTransformer(model)

    def paint(self, work: Work, inputs: Inputs, steps: int) -> Tensor:
        """Prefill once, then step; the final latents."""
        cache = self._prefill(work, inputs)
        sigmas, latents = sigmas_of(work, steps), inputs.noise.float()
        for sigma, sigma_next in pairwise(sigmas):
            velocity = self._transformer.step([StepInput(latents, sigma, work.target, cache)])[0]
            latents = euler_step(latents, velocity, sigma, sigma_next)
        return latents

    def _prefill(self, work: Work, inputs: Inputs) -> PrefixCache:
        layout = work.layout
        cache = self._transformer.new_cache(layout)
        rows = [row for row, is_slot in enumerate(work.is_slot) if not is_slot]
        txt = inputs.hidden[torch.tensor(rows, device=inputs.hidden.device)]
        self._transformer.prefill([PrefixInput(layout.segments, txt, inputs.references, cache)])
        return cache


class DiffusersForward:
    """Diffusers' forward with its KV cache, driven as its pipeline drives it.

    Args:
        model: the transformer.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    @torch.inference_mode()
    def paint(self, work: Work, inputs: Inputs, steps: int) -> Tensor:
        """All steps; the final latents."""
        sigmas, latents = sigmas_of(work, steps), inputs.noise.float()
        cache = QwenImage21KVCache(len(self._model.transformer_blocks))
        for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
            velocity = self._velocity(work, inputs, latents, sigma, cache, "cached" if index else "extract")
            latents = euler_step(latents, velocity, sigma, sigma_next)
        return latents

    def _velocity(
        self, work: Work, inputs: Inputs, latents: Tensor, sigma: float, cache: QwenImage21KVCache, mode: str
    ) -> Tensor:
        device, dtype = inputs.hidden.device, inputs.hidden.dtype
        slots = work.is_slot + [True] * (len(latents) // 4)
        output = self._model(
            hidden_states=torch.cat([*inputs.references, latents.to(dtype)])[None],
            encoder_hidden_states=inputs.hidden[None],
            timestep=torch.tensor([sigma], device=device, dtype=dtype),
            img_shapes=[[(1, *grid) for grid in (*work.references, work.target)]],
            img_mask=torch.tensor([slots], device=device),
            kv_cache=cache,
            kv_cache_mode=mode,
            return_dict=False,
        )[0]
        return output[0, -len(latents) :]


def timed(call: Callable[[], object]) -> float:
    """Seconds of a call on the device."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def measured_peak_tflops(device: torch.device) -> float:
    """What one large bf16 product reaches here; the median of several."""
    a, b = (torch.randn(_PEAK_SIDE, _PEAK_SIDE, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = [timed(lambda: a @ b) for _ in range(30)][10:]
    return 2 * _PEAK_SIDE**3 / median(seconds) / 1e12


def flops_of(shape: StepShape, steps: int) -> float:
    """Products of all steps and of the prefix, whose attention is counted as if all of it saw all of it."""
    prefix = replace(shape, tokens=shape.prefix_tokens, prefix_tokens=0)
    return steps * shape.flops + prefix.flops


def build_transformer(device: torch.device, dtype: torch.dtype, **changes: Any) -> Any:
    """The transformer at full size with random weights; its config's defaults are the 7B model's."""
    with torch.device(device):
        model: Any = QwenImage21Transformer2DModel(**changes)
    model = torch.nn.Module.to(model, dtype)
    if device.type != "meta":
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.02)
    return model.eval().requires_grad_(False)


def works() -> dict[str, Work]:
    """What is painted."""
    return {"generation": Work(()), "edit": Work((GRID,))}


def dry_run() -> dict[str, Any]:
    """Run every shape of our forward and of the VAE on the meta device."""
    device, dtype = torch.device("meta"), torch.bfloat16
    model = build_transformer(device, dtype)
    ours, found = OurForward(model), {}
    for kind, work in works().items():
        inputs = make_inputs(work, model, dtype, device)
        latents = ours.paint(work, inputs, steps=2)
        assert latents.shape == inputs.noise.shape, latents.shape
        found[kind] = {"prefix_tokens": work.layout.num_tokens, "latents": list(latents.shape)}
    found["parameters"] = sum(parameter.numel() for parameter in model.parameters())
    found["kv_mib_per_reference"] = GRID[0] * GRID[1] * ours._transformer.prefix_bytes_per_token / 2**20
    return found


def measure(rounds: int, steps: int) -> tuple[list[list[str]], dict[str, Any]]:
    """Paint everything on both sides, in turn."""
    device, dtype = torch.device("cuda"), torch.bfloat16
    model = build_transformer(device, dtype)
    vae = AutoencoderKLQwenImage21().to(device, dtype).eval().requires_grad_(False)
    codec = PictureCodec(vae)
    peak = measured_peak_tflops(device)
    # Diffusers first, before fusing moves the weights, then in turn: fusing changes where they lie, not what they are.
    sides: dict[str, OurForward | DiffusersForward] = {"diffusers": DiffusersForward(model), "ours": OurForward(model)}
    rows: list[list[str]] = []
    figures: dict[str, Any] = {"peak_tflops": peak, "steps": steps, "published_s": PUBLISHED_S}
    for kind, work in works().items():
        inputs = make_inputs(work, model, dtype, device)
        decode = partial(codec.decode, inputs.noise, work.target)
        decode_s = median([timed(decode) for _ in range(5)][2:])
        seconds, peak_gib, last = _in_turn(sides, work, inputs, steps, rounds)
        shape = shape_of(model, len(inputs.noise), work.layout.num_tokens)
        tflops = {name: flops_of(shape, steps) / value / 1e12 for name, value in seconds.items()}
        drift = float((last["ours"] - last["diffusers"]).abs().mean() / last["diffusers"].abs().mean())
        figures[kind] = {
            "seconds": seconds,
            "decode_s": decode_s,
            "ratio": seconds["diffusers"] / seconds["ours"],
            "share_of_peak": {name: value / peak for name, value in tflops.items()},
            "peak_gib": peak_gib,
            "relative_difference": drift,
        }
        rows += [
            [
                f"{kind}: {name}",
                f"{seconds[name]:.2f} s",
                f"{100 * tflops[name] / peak:.0f} %",
                f"{peak_gib[name]:.1f} GiB",
            ]
            for name in sides
        ]
        rows.append([f"{kind}: decode, both", f"{decode_s:.2f} s", "", ""])
    rows += [[f"published: {name}", f"{value:.2f} s", "", ""] for name, value in PUBLISHED_S.items()]
    return rows, figures


def _in_turn(
    sides: dict[str, OurForward | DiffusersForward], work: Work, inputs: Inputs, steps: int, rounds: int
) -> tuple[dict[str, float], dict[str, float], dict[str, Tensor]]:
    """Median seconds, peak GiB and final latents of each side."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    peak_gib: dict[str, float] = {}
    last: dict[str, Tensor] = {}
    for side in sides.values():
        side.paint(work, inputs, 3)  # warm-up
    for _ in range(rounds):
        for name, side in sides.items():
            torch.cuda.reset_peak_memory_stats()

            def paint(name: str = name, side: OurForward | DiffusersForward = side) -> None:
                last[name] = side.paint(work, inputs, steps)

            seconds[name].append(timed(paint))
            peak_gib[name] = torch.cuda.max_memory_allocated() / 2**30
    return {name: median(values) for name, values in seconds.items()}, peak_gib, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--dry-run", action="store_true", help="check all shapes on the meta device")
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    arguments = parser.parse_args()
    if arguments.dry_run:
        found = dry_run()
        rows = [[name, str(value)] for name, value in found.items()]
        report("full-size, dry run", ["shape", "value"], rows, found, save=False)
        return
    if not torch.cuda.is_available():
        sys.exit("full_size: needs a CUDA device; --dry-run checks the shapes without one")
    rows, figures = measure(arguments.rounds, arguments.steps)
    report("full-size", ["1024x1024, bf16", "median", "of peak", "memory"], rows, figures, save=arguments.save)


if __name__ == "__main__":
    main()
