"""The networks and how training runs them: sizes, construction, and one dense forward.

The modules are diffusers' and transformers' own, so that the weights load everywhere. The forward
here computes the same function over their weights, with one attention call per layer for a whole
batch of equal layout (`tests/unit/recipes` compares the two). Knows nothing of tasks or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from diffusers import QwenImage21Transformer2DModel
from torch import nn
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)


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
    grid: int = 8  # latent tokens a side

    @property
    def slots(self) -> int:
        """Places a picture takes in the text: one for 2 x 2 latent tokens."""
        return (self.grid // 2) ** 2


@dataclass(frozen=True)
class Layout:
    """The token layout that all samples of a batch share.

    `prefix` text tokens (system turn dropped), `picture_at` where among them the picture's slots
    begin (None: no picture), `grid` latent tokens a side, `targets` pictures being denoised.
    """

    prefix: int
    picture_at: int | None
    grid: int
    targets: int = 1

    @property
    def tokens(self) -> int:
        return self.grid * self.grid


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


def build_text_encoder(sizes: Sizes, vocabulary: int, special: dict[str, int]) -> Qwen3VLForConditionalGeneration:
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
        "num_position_embeddings": sizes.grid**2,
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


class MiniModel(nn.Module):
    """Text encoder and transformer, trained together."""

    def __init__(self, text_encoder: Any, transformer: Any, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.image_pad = int(text_encoder.config.image_token_id)
        self.text_encoder = text_encoder
        self.transformer = transformer

    def forward(
        self,
        ids: torch.Tensor,
        drop: int,
        pictures: torch.Tensor | None,
        references: torch.Tensor | None,
        noisy: torch.Tensor,
        sigma: torch.Tensor,
    ) -> torch.Tensor:
        """Velocities (B, K, tokens, 64) for K noisy targets that share one condition.

        `ids` (B, T); `pictures` (B, 4, H, W) in -1..1 and their latents `references`
        (B, tokens, 64), or None for both; `noisy` (B, K, tokens, 64); `sigma` (B, K) in 0..1.
        """
        condition = encode_condition(self.text_encoder, ids, self.image_pad, pictures)[:, drop:]
        at = None if pictures is None else int((ids[0] == self.image_pad).nonzero()[0]) - drop
        layout = Layout(condition.shape[1], at, self.grid, noisy.shape[1])
        return denoise(self.transformer, layout, condition, references, noisy, sigma)


def build_model(sizes: Sizes, vocabulary: int, special: dict[str, int]) -> MiniModel:
    """Both networks with fresh weights."""
    text_encoder = build_text_encoder(sizes, vocabulary, special)
    return MiniModel(text_encoder, build_transformer(sizes), sizes.grid)


# ---------------------------------------------------------------- condition


def vision_patches(pictures: torch.Tensor) -> torch.Tensor:
    """What the Qwen2-VL image processor makes of pictures (B, 4, H, W): (B, patches, 1536).

    Transparent parts are flattened on white; patches go in 2 x 2 groups, each frame doubled.
    """
    rgb, alpha = (pictures[:, :3] + 1) / 2, (pictures[:, 3:] + 1) / 2
    flat = ((rgb * alpha + 1 - alpha).clamp(0, 1) * 255).round() / 255
    mean = flat.new_tensor(PIXEL_MEAN)[:, None, None]
    std = flat.new_tensor(PIXEL_STD)[:, None, None]
    b, _, h, w = flat.shape
    grid = ((flat - mean) / std).reshape(b, 3, h // 32, 2, 16, w // 32, 2, 16)
    rows = grid.permute(0, 2, 5, 3, 6, 1, 4, 7)[:, :, :, :, :, :, None]
    return rows.expand(*rows.shape[:6], 2, 16, 16).reshape(b, h // 16 * (w // 16), -1)


@cache
def _merge_order(grid: int) -> torch.Tensor:
    """Row and column of every patch in the order of the vision tower, (2, patches)."""
    rows, columns = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    places = torch.stack([rows, columns]).reshape(2, grid // 2, 2, grid // 2, 2)
    return places.permute(0, 1, 3, 2, 4).reshape(2, -1)


def _encode_pictures(visual: Any, pictures: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The vision tower over a batch of equal grids: slot embeddings and deepstack features."""
    dtype = visual.patch_embed.proj.weight.dtype
    rows = vision_patches(pictures).to(dtype)
    b, n, _ = rows.shape
    places = _merge_order(int(n**0.5)).to(rows.device)
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


def encode_condition(encoder: Any, ids: torch.Tensor, image_pad: int, pictures: torch.Tensor | None) -> torch.Tensor:
    """The last layer's output before the final norm, (B, T, text width)."""
    language = encoder.model.language_model
    x = language.embed_tokens(ids)
    slots, deep = None, []
    if pictures is not None:
        slots = ids == image_pad
        found, deep = _encode_pictures(encoder.model.visual, pictures)
        x = x.masked_scatter(slots[..., None], found.to(x.dtype))
    positions = _text_positions(ids, slots)
    turn = language.rotary_emb(x, positions)
    for index, layer in enumerate(language.layers):
        x = layer(x, attention_mask=None, position_ids=None, position_embeddings=turn)
        if index < len(deep):
            x = x.masked_scatter(slots[..., None], x[slots] + deep[index].to(x.dtype))
    return x


def _text_positions(ids: torch.Tensor, slots: torch.Tensor | None) -> torch.Tensor:
    """Multimodal rotary positions (3, B, T): a picture's slots form a grid at one time."""
    b, t = ids.shape
    if slots is None:
        return torch.arange(t, device=ids.device).expand(3, b, t)
    start, count = int(slots[0].nonzero()[0]), int(slots[0].sum())
    side = int(count**0.5)
    cell = torch.arange(count, device=ids.device)
    grid = torch.stack([cell * 0, cell // side, cell % side]) + start
    head = torch.arange(start, device=ids.device).expand(3, -1)
    tail = torch.arange(t - start - count, device=ids.device).expand(3, -1) + start + side
    return torch.cat([head, grid, tail], dim=1)[:, None].expand(3, b, t)


# ---------------------------------------------------------------- transformer


@dataclass(frozen=True)
class Frame:
    """What a layout fixes: rotary tables (L, 1, D/2), mask (L, L), and where targets begin."""

    cos: torch.Tensor
    sin: torch.Tensor
    mask: torch.Tensor
    prefix: int


@cache
def _positions(layout: Layout) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotary positions (L, 3) and block ids (L,): -1 text, 0 the reference, 1.. the targets."""
    side = layout.grid
    cell = torch.arange(side * side)
    plane = torch.stack([cell // side, cell % side], dim=1) - (side - side // 2)
    rows: list[torch.Tensor] = []
    blocks: list[torch.Tensor] = []
    position = 0

    def text(count: int) -> None:
        nonlocal position
        rows.append(torch.arange(position, position + count)[:, None].expand(-1, 3))
        blocks.append(torch.full((count,), -1))
        position += count

    def picture(block: int) -> None:
        rows.append(torch.cat([torch.full((side * side, 1), position), plane], dim=1))
        blocks.append(torch.full((side * side,), block))

    if layout.picture_at is None:
        text(layout.prefix)
    else:
        text(layout.picture_at)
        picture(0)
        position += side
        text(layout.prefix - layout.picture_at - (side // 2) ** 2)
    for target in range(layout.targets):
        picture(1 + target)
    return torch.cat(rows), torch.cat(blocks)


def build_frame(model: Any, layout: Layout, device: torch.device, dtype: torch.dtype) -> Frame:
    """Rotary tables and mask. Targets see the prefix and themselves, never each other."""
    key = (layout, str(device), dtype)
    frames = model.__dict__.setdefault("_frames", {})
    if key not in frames:
        positions, blocks = _positions(layout)
        axes = model.config.axes_dims_rope
        angles = torch.cat(
            [
                positions[:, axis, None].float() / torch.pow(10000.0, torch.arange(0, size, 2).float() / size)
                for axis, size in enumerate(axes)
            ],
            dim=1,
        )
        order = torch.arange(len(blocks))
        same = (blocks[:, None] == blocks[None]) & (blocks[:, None] >= 0)
        earlier = (order[:, None] >= order[None]) & (blocks[None] < 1)
        frames[key] = Frame(
            angles.cos()[:, None].to(device, dtype),
            angles.sin()[:, None].to(device, dtype),
            (same | earlier).to(device),
            int((blocks < 1).sum()),
        )
    return frames[key]


def denoise(
    model: Any,
    layout: Layout,
    condition: torch.Tensor,
    references: torch.Tensor | None,
    noisy: torch.Tensor,
    sigma: torch.Tensor,
) -> torch.Tensor:
    """Velocities (B, K, tokens, 64); see `MiniModel.forward`."""
    dtype = model.img_in.weight.dtype
    b, k = sigma.shape
    frame = build_frame(model, layout, noisy.device, dtype)
    text = model.txt_in(condition)
    targets = model.img_in(noisy.to(dtype)).reshape(b, k * layout.tokens, -1)
    if layout.picture_at is None:
        x = torch.cat([text, targets], dim=1)
    else:
        after = layout.picture_at + (layout.grid // 2) ** 2
        seen = model.img_in(cast(torch.Tensor, references).to(dtype))
        x = torch.cat([text[:, : layout.picture_at], seen, text[:, after:], targets], dim=1)
    times = torch.cat([sigma.reshape(-1), sigma.new_zeros(1)])
    temb = model.time_text_embed(times, x)
    rows = model.modulation(temb)
    scale1, gate1, scale2, gate2 = rows.chunk(4, dim=-1)
    parts = (1 + scale1, gate1.tanh(), 1 + scale2, gate2.tanh())
    spread = [_spread(part, b, k, layout.tokens, frame.prefix) for part in parts]
    for block in model.transformer_blocks:
        x = run_block(block, x, *spread, frame.cos, frame.sin, frame.mask)
    final = model.norm_out.linear(F.silu(temb))[:-1].reshape(b, k, 1, -1)
    x = F.layer_norm(x[:, frame.prefix :], x.shape[-1:], eps=1e-6).reshape(b, k, layout.tokens, -1)
    return model.proj_out(x * (1 + final))


def _spread(rows: torch.Tensor, batch: int, targets: int, tokens: int, prefix: int) -> torch.Tensor:
    """Modulation rows (B*K + 1, D) to tokens (B, L, D): the last row is the prefix's, t = 0."""
    still = rows[-1].expand(batch, prefix, -1)
    moving = rows[:-1].reshape(batch, targets, 1, -1).expand(-1, -1, tokens, -1)
    return torch.cat([still, moving.reshape(batch, targets * tokens, -1)], dim=1)


def run_block(
    block: Any,
    x: torch.Tensor,
    scale1: torch.Tensor,
    gate1: torch.Tensor,
    scale2: torch.Tensor,
    gate2: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """One transformer block over the joint sequence (B, L, D)."""
    attn, mlp = block.attn, block.img_mlp
    b, length, width = x.shape
    h = F.layer_norm(x, (width,), eps=1e-6) * scale1
    head = (width // attn.heads,)
    q = attn.to_q(h).reshape(b, length, attn.heads, -1)
    k = attn.to_k(h).reshape(b, length, attn.heads, -1)
    q = F.rms_norm(q, head, attn.norm_q.weight, 1e-6)
    k = F.rms_norm(k, head, attn.norm_k.weight, 1e-6)
    v = attn.to_v(h).reshape(b, length, attn.heads, -1).transpose(1, 2)
    q, k = turn_pairs(q, cos, sin).transpose(1, 2), turn_pairs(k, cos, sin).transpose(1, 2)
    h = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    x = x + gate1 * attn.to_out[0](h.transpose(1, 2).reshape(b, length, width))
    h = F.layer_norm(x, (width,), eps=1e-6) * scale2
    return x + gate2 * mlp.out(F.silu(mlp.gate_layer(h)) * mlp.proj(h))


def turn_pairs(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of neighbouring channel pairs, in real numbers: (B, L, H, D)."""
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
