"""How large everything is: as in Qwen/Qwen-Image-2.1, or as small as it can be to try the benchmark without a GPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from overpaint.model.layout import Grid, PrefixLayout, layout_prefix
from overpaint.model.sampling import NoiseSchedule, base_sigmas
from tests.reference.library import AutoencoderKLQwenImage21, QwenImage21Transformer2DModel

_TINY_VAE = {"base_dim": 8, "decoder_base_dim": 12, "dim_mult": [1, 2, 2, 4, 4], "num_res_blocks": 1, "z_dim": 64}


@dataclass(frozen=True)
class Scale:
    """Sizes of a run; a config that is left empty is the class's default, which is the 7B model's.

    Args:
        transformer: what differs from the default config.
        vae: likewise.
        grid: of the large picture and of references, in latent tokens.
        small_grid: of the picture that is painted in batches.
        steps: of a picture.
        few_steps: of a few-step picture.
        batches: pictures stepped together.
        references: pictures on a warm prefix.
        card_gib: memory of the cards that are imposed.
        peak_side: of the square matrices that the device's peak is measured with.
    """

    transformer: dict[str, Any] = field(default_factory=dict)
    vae: dict[str, Any] = field(default_factory=dict)
    grid: Grid = (64, 64)
    small_grid: Grid = (32, 32)
    steps: int = 40
    few_steps: int = 8
    batches: tuple[int, ...] = (1, 4, 16)
    references: tuple[int, ...] = (1, 4, 10)
    card_gib: tuple[float, ...] = (24, 16)
    peak_side: int = 8192

    def build_transformer(self, device: torch.device, dtype: torch.dtype) -> Any:
        """The transformer with random weights."""
        with torch.device(device):
            model: Any = QwenImage21Transformer2DModel(**self.transformer)
        model = torch.nn.Module.to(model, dtype)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.02)
        return model.eval().requires_grad_(False)

    def build_vae(self, device: torch.device, dtype: torch.dtype) -> Any:
        """The VAE with random weights."""
        return AutoencoderKLQwenImage21(**self.vae).to(device, dtype).eval().requires_grad_(False)


FULL = Scale()
TINY = Scale(
    transformer={
        "num_layers": 4,
        "attention_head_dim": 32,
        "num_attention_heads": 2,
        "context_in_dim": 48,
        "axes_dims_rope": (8, 12, 12),
    },
    vae=_TINY_VAE,
    grid=(8, 8),
    small_grid=(4, 4),
    steps=3,
    few_steps=2,
    batches=(1, 2),
    references=(1, 2),
    card_gib=(24, 0.0036),
    peak_side=64,
)


@dataclass(frozen=True)
class Work:
    """One picture to paint.

    Args:
        target: its grid.
        references: grids of the reference pictures.
        text_tokens: half of them before the pictures.
    """

    target: Grid
    references: tuple[Grid, ...] = ()
    text_tokens: int = 64

    @property
    def num_tokens(self) -> int:
        """Tokens of the target."""
        return self.target[0] * self.target[1]

    @property
    def is_slot(self) -> list[bool]:
        """Text with the vision slots of the references inside."""
        slots = [False] * (self.text_tokens // 2)
        for height, width in self.references:
            slots += [True] * (height * width // 4) + [False] * 4
        return slots + [False] * (self.text_tokens // 2)

    @property
    def layout(self) -> PrefixLayout:
        """Where everything of the prefix stands."""
        return layout_prefix(self.is_slot, self.references)

    def sigmas(self, steps: int) -> list[tuple[float, float]]:
        """From which noise level to which, for each step."""
        schedule = NoiseSchedule(max_shift=0.9, max_image_seq_len=8192, shift_terminal=0.02)
        return list(pairwise(schedule.sigmas(base_sigmas(steps, None, steps), self.num_tokens)))


@dataclass(frozen=True)
class Inputs:
    """Random numbers in the shapes of a request, without a batch: encoder states, reference latents, noise.

    The encoder's place is taken by its output: every side runs the same encoder once.
    """

    hidden: Tensor
    references: tuple[Tensor, ...]
    noise: Tensor

    @classmethod
    def draw(cls, work: Work, model: Any) -> Inputs:
        """What a model of this shape is given."""

        def draw(tokens: int, channels: int) -> Tensor:
            return torch.randn(tokens, channels, device=model.device, dtype=model.dtype)

        channels = model.config.in_channels
        references = tuple(draw(height * width, channels) for height, width in work.references)
        return cls(draw(len(work.is_slot), model.config.context_in_dim), references, draw(work.num_tokens, channels))
