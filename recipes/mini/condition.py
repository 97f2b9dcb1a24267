"""The text encoder's forward over a batch: transformers' Qwen3-VL, one attention call a layer.

Prompts of one batch share where their pictures stand, and are padded at the end; attention is causal,
so padding changes nothing before it. Knows nothing of the transformer that reads the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Slots:
    """Where among `length` tokens the pictures' slots are: from each of `starts`, `side` x `side` of them."""

    length: int
    starts: tuple[int, ...]
    side: int

    @cache  # noqa: B019 - few layouts, kept for ever on purpose
    def index(self, device: torch.device) -> torch.Tensor:
        """Indices of all slots."""
        cells = torch.arange(self.side**2)
        found = [start + cells for start in self.starts]
        return torch.cat(found or [cells[:0]]).to(device)

    @cache  # noqa: B019
    def positions(self, device: torch.device) -> torch.Tensor:
        """Multimodal rotary positions (3, T): a picture's slots form a grid at one time."""
        columns: list[torch.Tensor] = []
        word, position = 0, 0
        cell = torch.arange(self.side**2)
        for start in (*self.starts, self.length):
            count = start - word
            columns.append(torch.arange(position, position + count).expand(3, -1))
            position += count
            if start < self.length:
                columns.append(torch.stack([cell * 0, cell // self.side, cell % self.side]) + position)
                word, position = start + self.side**2, position + self.side
        return torch.cat(columns, dim=1).to(device)


def encode_condition(encoder: Any, ids: torch.Tensor, slots: Slots, pictures: torch.Tensor) -> torch.Tensor:
    """The last layer's output before the final norm, (B, T, text width).

    `ids` (B, T); `slots` which of them stand for pieces of pictures; `pictures` (B, R, 4, H, W).
    """
    language = encoder.model.language_model
    x = language.embed_tokens(ids)
    deep: list[torch.Tensor] = []
    b, count = pictures.shape[:2]
    if count:
        found, deep = _encode_pictures(encoder.model.visual, pictures.flatten(0, 1))
        x = x.index_copy(1, slots.index(ids.device), found.reshape(b, -1, found.shape[-1]).to(x.dtype))
    turn = language.rotary_emb(x, slots.positions(ids.device)[:, None].expand(-1, b, -1))
    for index, layer in enumerate(language.layers):
        x = layer(x, attention_mask=None, position_ids=None, position_embeddings=turn)
        if index < len(deep):
            x = x.index_add(1, slots.index(ids.device), deep[index].reshape(b, -1, x.shape[-1]).to(x.dtype))
    return x


def vision_patches(pictures: torch.Tensor) -> torch.Tensor:
    """What the Qwen2-VL image processor makes of pictures (B, 4, H, W): (B, patches, 1536).

    Transparent parts are flattened on white; patches go in 2 x 2 groups, each frame doubled.
    """
    rgb, alpha = (pictures[:, :3] + 1) / 2, (pictures[:, 3:] + 1) / 2
    flat = ((rgb * alpha + 1 - alpha).clamp(0, 1) * 255).round() / 255
    mean, std = _pixel_statistics(flat.device)
    b, _, h, w = flat.shape
    grid = ((flat - mean) / std).reshape(b, 3, h // 32, 2, 16, w // 32, 2, 16)
    rows = grid.permute(0, 2, 5, 3, 6, 1, 4, 7)[:, :, :, :, :, :, None]
    return rows.expand(*rows.shape[:6], 2, 16, 16).reshape(b, h // 16 * (w // 16), -1)


@cache
def _pixel_statistics(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation, (3, 1, 1). What is copied to a device at every step has the step wait for it."""
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (PIXEL_MEAN, PIXEL_STD))
    return mean, std


@cache
def _merge_order(grid: int, device: torch.device) -> torch.Tensor:
    """Row and column of every patch in the order of the vision tower, (2, patches)."""
    rows, columns = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    places = torch.stack([rows, columns]).reshape(2, grid // 2, 2, grid // 2, 2)
    return places.permute(0, 1, 3, 2, 4).reshape(2, -1).to(device)


def _encode_pictures(visual: Any, pictures: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The vision tower over a batch of equal grids: slot embeddings and deepstack features."""
    dtype = visual.patch_embed.proj.weight.dtype
    rows = vision_patches(pictures).to(dtype)
    b, n, _ = rows.shape
    places = _merge_order(int(n**0.5), rows.device)
    weight = visual.patch_embed.proj.weight.flatten(1)
    x = F.linear(rows, weight, visual.patch_embed.proj.bias)
    x = x + visual.pos_embed(places[0] * visual.num_grid_per_side + places[1])
    angles = places.T[:, :, None].float() * visual.rotary_pos_emb.inv_freq.float()
    turn = torch.cat([angles.flatten(1)] * 2, dim=-1)
    cos, sin = turn.cos().to(dtype), turn.sin().to(dtype)
    deep: list[torch.Tensor] = []
    for index, block in enumerate(visual.blocks):
        x = x + _vision_attention(block.attn, block.norm1(x), cos, sin)
        x = x + block.mlp(block.norm2(x))
        if index in visual.deepstack_visual_indexes:
            merger = visual.deepstack_merger_list[visual.deepstack_visual_indexes.index(index)]
            deep.append(merger(x.reshape(b * n, -1)))
    return visual.merger(x.reshape(b * n, -1)), deep


def _vision_attention(attn: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    b, n, _ = x.shape
    q, k, v = attn.qkv(x).reshape(b, n, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
    q, k = _turn_halves(q, cos, sin), _turn_halves(k, cos, sin)
    return attn.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, -1))


def _turn_halves(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
