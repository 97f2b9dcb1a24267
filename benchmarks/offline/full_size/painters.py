"""Who paints: our packed forward, and diffusers' own forward with its KV cache, driven as its pipeline drives it."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from diffusers.models.transformers.transformer_qwenimage21 import QwenImage21KVCache
from torch import Tensor

from benchmarks.offline.full_size.scale import Inputs, Work
from overpaint.model.compiling import compile_step
from overpaint.model.inputs import PrefixInput, StepInput
from overpaint.model.pointwise import Pointwise
from overpaint.model.prefix_cache import PrefixCache
from overpaint.model.sampling import euler_step
from overpaint.model.transformer import PackedTransformer


class Painter(Protocol):
    """Somebody who paints."""

    def paint(self, work: Work, inputs: Inputs, steps: int) -> Tensor:
        """Prefix and all steps; the final latents."""
        ...


class Ours:
    """The packed forward.

    Args:
        transformer: ready; several may hold the same one.
        compiles: whether what lies between products is compiled.
    """

    def __init__(self, transformer: PackedTransformer, *, compiles: bool = False) -> None:
        self._transformer = transformer
        self._pointwise = Pointwise()
        if compiles:
            compile_step(transformer)
            self._pointwise = transformer.pointwise

    def paint(self, work: Work, inputs: Inputs, steps: int) -> Tensor:
        """See `Painter.paint`."""
        return self.paint_on(self.prefill(work, inputs), work, [inputs.noise], steps)[0]

    def prefill(self, work: Work, inputs: Inputs) -> PrefixCache:
        """Run the prefix."""
        self._transformer.pointwise = self._pointwise
        layout = work.layout
        cache = self._transformer.new_cache(layout)
        rows = [row for row, is_slot in enumerate(work.is_slot) if not is_slot]
        txt = inputs.hidden[torch.tensor(rows, device=inputs.hidden.device)]
        self._transformer.prefill([PrefixInput(layout.segments, txt, inputs.references, cache)])
        return cache

    def paint_on(self, cache: PrefixCache, work: Work, noises: list[Tensor], steps: int) -> list[Tensor]:
        """All steps of pictures that go together on one standing prefix; the final latents of each."""
        self._transformer.pointwise = self._pointwise
        latents = [noise.float() for noise in noises]
        for sigma, sigma_next in work.sigmas(steps):
            velocities = self._transformer.step([StepInput(x, sigma, work.target, cache) for x in latents])
            latents = [euler_step(x, v, sigma, sigma_next) for x, v in zip(latents, velocities, strict=True)]
        return latents


class Diffusers:
    """Diffusers' forward with its KV cache.

    Args:
        model: the transformer.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    @torch.inference_mode()
    def paint(self, work: Work, inputs: Inputs, steps: int) -> Tensor:
        """See `Painter.paint`."""
        latents, cache = inputs.noise.float(), QwenImage21KVCache(len(self._model.transformer_blocks))
        for index, (sigma, sigma_next) in enumerate(work.sigmas(steps)):
            velocity = self._velocity(work, inputs, latents, sigma, cache, "cached" if index else "extract")
            latents = euler_step(latents, velocity, sigma, sigma_next)
        return latents

    def _velocity(
        self, work: Work, inputs: Inputs, latents: Tensor, sigma: float, cache: QwenImage21KVCache, mode: str
    ) -> Tensor:
        device, dtype = inputs.hidden.device, inputs.hidden.dtype
        output = self._model(
            hidden_states=torch.cat([*inputs.references, latents.to(dtype)])[None],
            encoder_hidden_states=inputs.hidden[None],
            timestep=torch.tensor([sigma], device=device, dtype=dtype),
            img_shapes=[[(1, *grid) for grid in (*work.references, work.target)]],
            img_mask=torch.tensor([work.is_slot + [True] * (len(latents) // 4)], device=device),
            kv_cache=cache,
            kv_cache_mode=mode,
            return_dict=False,
        )[0]
        return output[0, -len(latents) :]
