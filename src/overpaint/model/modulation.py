"""Scales and gates from the noise level: one set for all blocks, one row per sequence of the pack.

Knows nothing of attention or layouts.

Source: `QwenImage21TimestepProjEmbeddings`, `modulation` and `QwenImage21AdaLayerNormContinuous` of diffusers 0.42.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers.models.transformers.transformer_qwenimage21 import QwenImage21Transformer2DModel
from torch import Tensor
from torch.nn import functional as F

from overpaint.model.lora import NO_CHANGES, RowChanges
from overpaint.model.projections import FusedLinear


@dataclass(frozen=True, slots=True)
class Modulation:
    """What one pass needs: each `(dim,)` when all tokens share it, else `(tokens, dim)`.

    Args:
        scale_attn: factor on the norm before the attention, one already added.
        gate_attn: on the attention's output, tanh applied.
        scale_mlp: factor on the norm before the feed-forward.
        gate_mlp: on the feed-forward's output, tanh applied.
        scale_out: factor on the norm before the output projection.
    """

    scale_attn: Tensor
    gate_attn: Tensor
    scale_mlp: Tensor
    gate_mlp: Tensor
    scale_out: Tensor


class Modulator:
    """Computes a `Modulation`.

    Args:
        module: diffusers' transformer.
    """

    def __init__(self, module: QwenImage21Transformer2DModel) -> None:
        self._module = module
        self._device, self._dtype = module.device, module.dtype  # diffusers looks through all modules to answer these
        embedder = "time_text_embed.timestep_embedder"
        inner, outer, blocks, out = f"{embedder}.linear_1", f"{embedder}.linear_2", "modulation.1", "norm_out.linear"
        self._inner, self._outer, self._blocks, self._out = (
            FusedLinear({name: module.get_submodule(name)}) for name in (inner, outer, blocks, out)
        )

    def __call__(
        self, sigmas: Sequence[float], lengths: Sequence[int] | None, changes: RowChanges = NO_CHANGES
    ) -> Modulation:
        """Embed one sigma per sequence.

        Args:
            sigmas: noise levels in [0, 1].
            lengths: tokens of each sequence; None when all tokens share the single sigma.
            changes: a row for each sigma.
        """
        activated = F.silu(self._embed(sigmas, changes))
        rows = torch.cat([self._blocks(activated, changes), self._out(activated, changes)], dim=-1)
        scale_attn, gate_attn, scale_mlp, gate_mlp, scale_out = rows.chunk(5, dim=-1)
        each = (1 + scale_attn, gate_attn.tanh(), 1 + scale_mlp, gate_mlp.tanh(), 1 + scale_out)
        if lengths is None or len(lengths) == 1:
            return Modulation(*(part[0] for part in each))
        owners = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths)).to(rows.device)
        return Modulation(*(part[owners] for part in each))

    def _embed(self, sigmas: Sequence[float], changes: RowChanges) -> Tensor:
        """`(len(sigmas), dim)`; the sinusoid in fp32 whatever the weights are, because bf16 sigmas are too coarse."""
        embedder = self._module.time_text_embed
        sigma = torch.tensor(sigmas, dtype=torch.float32, device=self._device)
        projected = embedder.time_proj(sigma)
        hidden = embedder.timestep_embedder.act(self._inner(projected.to(self._dtype), changes))
        return self._outer(hidden, changes)
