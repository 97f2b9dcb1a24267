"""The networks: their sizes, their construction, and both together as one function of a batch.

The modules are diffusers' and transformers' own, so that the weights load everywhere; the forwards in
`condition.py` and `denoiser.py` compute the same functions over their weights, for a whole batch at
once (`tests/unit/recipes` compares them). Knows nothing of tasks or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import QwenImage21Transformer2DModel
from torch import nn
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from recipes.mini.condition import Slots, encode_condition
from recipes.mini.denoiser import Layout, Noisy, denoise


@dataclass(frozen=True)
class Sizes:
    """What a configuration file may change about the networks."""

    width: int = 256
    layers: int = 6
    heads: int = 4
    text_width: int = 256
    text_layers: int = 3
    text_heads: int = 4
    vision_width: int = 96
    vision_layers: int = 2


def build_transformer(sizes: Sizes) -> QwenImage21Transformer2DModel:
    head = sizes.width // sizes.heads
    frame = head // 4
    plane = (head - frame) // 2
    model = QwenImage21Transformer2DModel(
        num_layers=sizes.layers,
        attention_head_dim=head,
        num_attention_heads=sizes.heads,
        context_in_dim=sizes.text_width,
        mlp_ratio=3,
        axes_dims_rope=(frame, plane, plane),
    )
    _initialise(model)
    return model


def _initialise(model: QwenImage21Transformer2DModel) -> None:
    """Small residual branches, gates of about a third, and a zero first guess."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        if name.endswith(("to_out.0.weight", "img_mlp.out.weight")):
            parameter.data.mul_(0.5)
    nn.init.zeros_(model.proj_out.weight)
    nn.init.zeros_(model.norm_out.linear.weight)


def build_text_encoder(
    sizes: Sizes, grid: int, vocabulary: int, special: dict[str, int]
) -> Qwen3VLForConditionalGeneration:
    head = sizes.text_width // sizes.text_heads
    third = head // 6
    text: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": sizes.text_width,
        "intermediate_size": 3 * sizes.text_width,
        "num_hidden_layers": sizes.text_layers,
        "num_attention_heads": sizes.text_heads,
        "num_key_value_heads": sizes.text_heads,
        "head_dim": head,
        "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [head // 2 - 2 * third, third, third],
            "mrope_interleaved": True,
        },
        "pad_token_id": special["<|endoftext|>"],
        "tie_word_embeddings": True,
    }
    vision: dict[str, Any] = {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_width,
        "intermediate_size": 3 * sizes.vision_width,
        "num_heads": sizes.vision_width // 48,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": sizes.text_width,
        "num_position_embeddings": grid**2,
        "deepstack_visual_indexes": [0],
    }
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=special["<|image_pad|>"],
        video_token_id=special["<|video_pad|>"],
        vision_start_token_id=special["<|vision_start|>"],
        vision_end_token_id=special["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    config._attn_implementation = "sdpa"
    return Qwen3VLForConditionalGeneration(config)


@dataclass(frozen=True)
class Conditions:
    """What a batch is conditioned on.

    `ids` (B, T) token ids, right-padded; `lengths` (B,) their true lengths; `starts` where the slots of
    each picture begin; `drop` leading tokens (the system turn) that are not the condition; `pictures`
    (B, R, 4, H, W) in -1..1, R = 0 for none, and their latents `references` (B, R, tokens, 64).
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    starts: tuple[int, ...]
    drop: int
    pictures: torch.Tensor
    references: torch.Tensor


@dataclass(frozen=True)
class Answer:
    """Velocities (B, K, tokens, 64), and what auxiliary heads read: hidden states of the targets (B, K,
    tokens, D) and of the references (B, R * tokens, D) half way, and of the encoder's picture slots."""

    velocity: torch.Tensor
    targets: torch.Tensor
    references: torch.Tensor
    slots: torch.Tensor


class MiniModel(nn.Module):
    """Text encoder and transformer, trained together."""

    def __init__(self, text_encoder: Any, transformer: Any, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.text_encoder = text_encoder
        self.transformer = transformer

    def forward(self, conditions: Conditions, noisy: torch.Tensor, sigma: torch.Tensor) -> Answer:
        """For K noisy targets (B, K, tokens, 64) that share one condition, at levels `sigma` (B, K) in 0..1."""
        ids, drop = conditions.ids, conditions.drop
        slots = Slots(ids.shape[1], conditions.starts, self.grid // 2)
        hidden = encode_condition(self.text_encoder, ids, slots, conditions.pictures)
        layout = Layout(ids.shape[1] - drop, tuple(start - drop for start in conditions.starts), self.grid)
        words, lengths = hidden[:, drop:], conditions.lengths - drop
        found = denoise(self.transformer, layout, words, lengths, conditions.references, Noisy(noisy, sigma))
        return Answer(found.velocity, found.targets, found.references, hidden[:, slots.index(ids.device)])


def build_model(sizes: Sizes, grid: int, vocabulary: int, special: dict[str, int]) -> MiniModel:
    """Both networks with fresh weights."""
    text_encoder = build_text_encoder(sizes, grid, vocabulary, special)
    return MiniModel(text_encoder, build_transformer(sizes), grid)
