"""Compiles what lies between the matrix products of a step, once at load. While serving nothing is compiled any more.

Products and attention are library kernels already, and are changed from outside (adapters, fewer bits, other kernels);
what is compiled knows none of that, so it is the same few functions for every layer, checkpoint and adapter. The number
of tokens is left open. What comes in a form that was not seen at load (a size of one token, say) runs as it is written.
"""

import logging
from dataclasses import replace
from functools import partial
from time import perf_counter

import torch
from torch import Tensor

from overpaint.core import ConfigError
from overpaint.model.inputs import PrefixInput, StepInput
from overpaint.model.layout import Grid, layout_prefix
from overpaint.model.pointwise import Pointwise, activate, add_gated, scale_norm
from overpaint.model.transformer import PackedTransformer

_log = logging.getLogger(__name__)
_GRIDS: tuple[Grid, ...] = ((4, 4), (5, 6), (9, 7))
"""The first two teach the compiler that the number of tokens is open; the third must find everything there."""


def compile_step(transformer: PackedTransformer) -> None:
    """Compile for a transformer, and run small packs of it until nothing is left to compile.

    Raises:
        ConfigError: there is no compiler for its device.
    """
    start = perf_counter()
    pointwise = _compiled()
    transformer.pointwise = pointwise
    try:
        for grid in _GRIDS:
            _run(transformer, grid)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # torch's own error for a missing compiler is not public
        raise ConfigError(f"compile: {_needed(transformer.device)} is needed ({_first_line(error)})") from error
    transformer.pointwise = replace(pointwise, during=partial(torch.compiler.set_stance, "eager_on_recompile"))
    _log.info("compiled the step in %.0f s", perf_counter() - start)


def _needed(device: torch.device) -> str:
    return "Triton" if device.type == "cuda" else "a C++ compiler such as g++"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _run(transformer: PackedTransformer, grid: Grid) -> None:
    """A prefix, one target on it, and two."""
    tokens = grid[0] * grid[1]
    cache = transformer.new_cache(layout_prefix([False] * tokens, []))
    txt = torch.zeros(tokens, transformer.context_channels, device=transformer.device)
    transformer.prefill([PrefixInput(cache.layout.segments, txt, (), cache)])
    latents = torch.zeros(tokens, transformer.latent_channels, device=transformer.device)
    item = StepInput(latents, 0.5, grid, cache)
    transformer.step([item])
    transformer.step([item, item])


def _compiled() -> Pointwise:
    rotate = torch.compile(_norm_rotate)

    def norm_rotate(qk: Tensor, weight: Tensor, table: Tensor, eps: float) -> Tensor:
        return rotate(qk, weight, torch.view_as_real(table), eps)

    return Pointwise(torch.compile(scale_norm), norm_rotate, torch.compile(activate), torch.compile(add_gated))


def _norm_rotate(qk: Tensor, weight: Tensor, turns: Tensor, eps: float) -> Tensor:
    """`pointwise.norm_rotate` without complex numbers, which compilers do not know."""
    x = qk.float()
    x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight[:, None]
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = turns.unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2).to(qk.dtype)
