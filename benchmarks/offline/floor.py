"""The floor under a denoising step: its matrix products and attention alone, same shapes, same dtype, nothing between.

No step can be faster than this on the same libraries; what a step takes beyond it is norms, rotations, gates, copies
and Python.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.conditioner import Conditioner
from overpaint.model.inputs import PrefixInput, StepInput
from overpaint.model.references import PIXELS_PER_TOKEN, prepare_reference
from overpaint.model.transformer import PackedTransformer
from overpaint.model.vae import PictureCodec


@dataclass(frozen=True)
class StepShape:
    """The sizes of one step of one sequence.

    Args:
        tokens: of the target.
        prefix_tokens: whose keys and values stand.
        layers: transformer blocks.
        heads: of each.
        head_dim: channels of a head.
        mlp_dim: width inside the feed-forward.
        channels: of the latents.
    """

    tokens: int
    prefix_tokens: int
    layers: int
    heads: int
    head_dim: int
    mlp_dim: int
    channels: int

    @property
    def width(self) -> int:
        """Channels between blocks."""
        return self.heads * self.head_dim

    @property
    def flops(self) -> float:
        """Multiplications and additions of all products of one step."""
        linear = self.width * (3 * self.width + self.width + 3 * self.mlp_dim)
        attention = 2 * (self.prefix_tokens + self.tokens) * self.width
        ends = 2 * self.channels * self.width
        return 2.0 * self.tokens * (self.layers * (linear + attention) + ends)


def shape_of(module: Any, tokens: int, prefix_tokens: int) -> StepShape:
    """The shape of a step of this transformer."""
    config = module.config
    width = config.num_attention_heads * config.attention_head_dim
    return StepShape(
        tokens,
        prefix_tokens,
        config.num_layers,
        config.num_attention_heads,
        config.attention_head_dim,
        config.mlp_ratio * width,
        config.in_channels,
    )


class BareStep:
    """The products of a step over random numbers.

    Args:
        shape: of the step.
        dtype: of everything.
        device: where.
    """

    def __init__(self, shape: StepShape, dtype: torch.dtype, device: torch.device) -> None:
        def noise(*sides: int) -> Tensor:
            return torch.randn(*sides, device=device).mul_(0.02).to(dtype)

        width = shape.width
        self._layers = shape.layers
        self._latents, self._hidden = noise(shape.tokens, shape.channels), noise(shape.tokens, width)
        self._inner = noise(shape.tokens, shape.mlp_dim)
        self._img_in, self._proj_out = noise(width, shape.channels), noise(shape.channels, width)
        # Weights of all layers, as in the model: one layer's would stay in the processor's cache.
        self._weights = [
            (noise(3 * width, width), noise(width, width), noise(2 * shape.mlp_dim, width), noise(width, shape.mlp_dim))
            for _ in range(shape.layers)
        ]
        rows = shape.prefix_tokens + shape.tokens
        self._query = noise(1, shape.heads, shape.tokens, shape.head_dim)
        self._kv = [(noise(1, shape.heads, rows, shape.head_dim),) * 2 for _ in range(shape.layers)]

    @torch.inference_mode()
    def __call__(self) -> None:
        """Multiply."""
        F.linear(self._latents, self._img_in)
        for (qkv, out, gate_up, down), (key, value) in zip(self._weights, self._kv, strict=True):
            F.linear(self._hidden, qkv)
            F.scaled_dot_product_attention(self._query, key, value)
            F.linear(self._hidden, out)
            F.linear(self._hidden, gate_up)
            F.linear(self._inner, down)
        F.linear(self._hidden, self._proj_out)


class OurStep:
    """Our transformer's step on a request's real prefix.

    Args:
        checkpoint: loaded.
        request: with an exact size.
    """

    def __init__(self, checkpoint: Checkpoint, request: GenerationRequest) -> None:
        assert isinstance(request.size, Size)
        self._transformer = PackedTransformer(checkpoint.transformer)
        conditioner = Conditioner(checkpoint.text_encoder, checkpoint.tokenizer, checkpoint.image_processor)
        codec = PictureCodec(checkpoint.vae)
        references = [prepare_reference(picture, checkpoint.info.reference_area) for picture in request.pictures]
        prompt = conditioner.lay_out(request.prompt, references)
        patches = [conditioner.prepare(reference).patches for reference in references]
        txt = conditioner.encode(prompt, patches).txt
        grid = (request.size.height // PIXELS_PER_TOKEN, request.size.width // PIXELS_PER_TOKEN)
        cache = self._transformer.new_cache(prompt.layout)
        latents = tuple(codec.encode(reference.for_vae()) for reference in references)
        self._transformer.prefill([PrefixInput(prompt.layout.segments, txt, latents, cache)])
        noise = torch.randn(grid[0] * grid[1], codec.channels, device=self._transformer.device)
        self._inputs = [StepInput(noise, 0.5, grid, cache)]
        self.shape = shape_of(checkpoint.transformer, grid[0] * grid[1], prompt.layout.num_tokens)

    def __call__(self) -> None:
        """Step once, without moving."""
        self._transformer.step(self._inputs)

    def bare(self) -> BareStep:
        """The floor under it."""
        return BareStep(self.shape, self._transformer.dtype, self._transformer.device)


def time_in_turn(calls: dict[str, BareStep | OurStep], rounds: int) -> dict[str, float]:
    """Median seconds of each call, alternating."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 3):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn >= 3:  # the first are warm-up
                times[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in times.items()}
