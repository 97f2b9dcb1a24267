"""The transformer's forward over a batch: diffusers' QwenImage21 blocks in two streams.

The prefix (words and references) does not depend on the noise level, so it is computed once for the K
targets that share it. Prompts are padded at the end: the prefix is causal and does not notice, the
targets are told by a mask and stand at the position where the true words end. Knows nothing of
tokens or pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

Rope = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Layout:
    """What the samples of a batch share: `words` condition tokens, where among them the slots of each
    picture begin, and `grid` latent tokens a side of every picture."""

    words: int
    pictures: tuple[int, ...]
    grid: int

    @property
    def tokens(self) -> int:
        return self.grid * self.grid


@dataclass(frozen=True)
class Noisy:
    """Targets (B, K, tokens, 64) at noise levels `sigma` (B, K) in 0..1."""

    latents: torch.Tensor
    sigma: torch.Tensor


@dataclass(frozen=True)
class Found:
    velocity: torch.Tensor  # (B, K, tokens, 64)
    targets: torch.Tensor  # (B, K, tokens, D), after the tapped block
    references: torch.Tensor  # (B, R * tokens, D), after the tapped block


@dataclass(frozen=True)
class Plan:
    """A layout in numbers: `positions` (P, 3) and `blocks` (P,; -1 text) of the prefix, the target's
    position at full length, and its `plane` (tokens, 2)."""

    positions: torch.Tensor
    blocks: torch.Tensor
    end: int
    plane: torch.Tensor


@cache
def make_plan(layout: Layout) -> Plan:
    side, slots = layout.grid, (layout.grid // 2) ** 2
    cell = torch.arange(side * side)
    plane = torch.stack([cell // side, cell % side], dim=1) - (side - side // 2)
    rows: list[torch.Tensor] = []
    blocks: list[torch.Tensor] = []
    position, word = 0, 0
    for number, start in enumerate((*layout.pictures, layout.words)):
        count = start - word
        rows.append(torch.arange(position, position + count)[:, None].expand(-1, 3))
        blocks.append(torch.full((count,), -1))
        position, word = position + count, start
        if number < len(layout.pictures):
            rows.append(torch.cat([torch.full((side * side, 1), position), plane], dim=1))
            blocks.append(torch.full((side * side,), number))
            position, word = position + side, start + slots
    return Plan(torch.cat(rows), torch.cat(blocks), position, plane)


@cache
def plan_on(layout: Layout, device: torch.device) -> Plan:
    """The plan on a device. What is copied there at every step has the step wait for it."""
    plan = make_plan(layout)
    return Plan(plan.positions.to(device), plan.blocks.to(device), plan.end, plan.plane.to(device))


@cache
def prefix_mask(layout: Layout, device: torch.device) -> torch.Tensor:
    """(P, P): causal, and bidirectional inside each picture."""
    blocks = make_plan(layout).blocks
    order = torch.arange(len(blocks))
    same = (blocks[:, None] == blocks[None]) & (blocks[:, None] >= 0)
    return ((order[:, None] >= order[None]) | same).to(device)


@cache
def picture_index(layout: Layout, device: torch.device) -> torch.Tensor:
    """Where in the prefix the references' tokens are."""
    return (make_plan(layout).blocks >= 0).nonzero()[:, 0].to(device)


def rope(positions: torch.Tensor, axes: tuple[int, ...], dtype: torch.dtype) -> Rope:
    """Cosines and sines (..., 1, D/2) of positions (..., 3)."""
    parts: list[torch.Tensor] = []
    for axis, size in enumerate(axes):
        steps = torch.arange(0, size, 2, device=positions.device).float() / size
        parts.append(positions[..., axis, None].float() / torch.pow(10000.0, steps))
    angles = torch.cat(parts, dim=-1)[..., None, :]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def denoise(
    model: Any, layout: Layout, words: torch.Tensor, lengths: torch.Tensor, references: torch.Tensor, noisy: Noisy
) -> Found:
    """Velocities of the targets; `words` (B, T, text width), `lengths` (B,), `references` (B, R, tokens, 64)."""
    dtype, device = model.img_in.weight.dtype, words.device
    (b, k), plan = noisy.sigma.shape, plan_on(layout, device)
    axes = tuple(model.config.axes_dims_rope)
    x = _prefix(model, layout, words, references.to(dtype))
    y = model.img_in(noisy.latents.to(dtype)).flatten(0, 1)
    missing = layout.words - lengths
    turns = (
        rope(plan.positions, axes, dtype),
        rope(_target_positions(plan, missing).repeat_interleave(k, 0), axes, dtype),
    )
    masks = prefix_mask(layout, device), _key_mask(x.shape[1], layout.tokens, missing, k)
    times = torch.cat([noisy.sigma.reshape(-1), noisy.sigma.new_zeros(1)])
    temb = model.time_text_embed(times, y)
    modulation = _modulation(model.modulation(temb))
    tapped = y, x
    for index, block in enumerate(model.transformer_blocks):
        x, y = run_block(block_weights(block), x, y, modulation, turns, masks, block.attn.heads)
        if index == tap_of(len(model.transformer_blocks)):
            tapped = (y, x)
    final = model.norm_out.linear(F.silu(temb))[:-1][:, None]
    velocity = model.proj_out(F.layer_norm(y, y.shape[-1:], eps=1e-6) * (1 + final))
    seen = tapped[1].index_select(1, picture_index(layout, device))
    return Found(velocity.unflatten(0, (b, k)), tapped[0].unflatten(0, (b, k)), seen)


def tap_of(layers: int) -> int:
    """The block after which auxiliary heads read: two thirds of the way."""
    return max(0, 2 * layers // 3 - 1)


def _prefix(model: Any, layout: Layout, words: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Words and references in their order, (B, P, D)."""
    text = model.txt_in(words)
    slots, parts, word = (layout.grid // 2) ** 2, [], 0
    for number, start in enumerate(layout.pictures):
        parts += [text[:, word:start], model.img_in(references[:, number])]
        word = start + slots
    return torch.cat([*parts, text[:, word:]], dim=1)


def _target_positions(plan: Plan, missing: torch.Tensor) -> torch.Tensor:
    """(B, tokens, 3): the frame axis continues where the true words end."""
    frame = (plan.end - missing)[:, None, None].expand(-1, len(plan.plane), 1)
    return torch.cat([frame, plan.plane[None].expand(len(missing), -1, -1)], dim=2)


def _key_mask(prefix: int, tokens: int, missing: torch.Tensor, targets: int) -> torch.Tensor | None:
    """(B * K, 1, 1, P + tokens): what a target may look at. None on a CPU when nothing is padded."""
    if missing.device.type == "cpu" and not bool(missing.any()):
        return None
    places = torch.arange(prefix + tokens, device=missing.device)
    padded = (places[None] >= prefix - missing[:, None]) & (places[None] < prefix)
    return ~padded.repeat_interleave(targets, 0)[:, None, None]


def _modulation(rows: torch.Tensor) -> list[torch.Tensor]:
    """Scale, gate, scale, gate of the targets (B * K + 1, 1, D); the last row is the prefix's, at t = 0."""
    scale1, gate1, scale2, gate2 = rows[:, None].chunk(4, dim=-1)
    return [1 + scale1, gate1.tanh(), 1 + scale2, gate2.tanh()]


def block_weights(block: Any) -> tuple[torch.Tensor, ...]:
    """The parameters of a block as plain tensors, so that one compiled function serves all blocks."""
    attn, mlp = block.attn, block.img_mlp
    return (
        attn.to_q.weight,
        attn.to_k.weight,
        attn.to_v.weight,
        attn.to_out[0].weight,
        attn.norm_q.weight,
        attn.norm_k.weight,
        mlp.gate_layer.weight,
        mlp.proj.weight,
        mlp.out.weight,
    )


def run_block(
    weights: tuple[torch.Tensor, ...],
    x: torch.Tensor,
    y: torch.Tensor,
    modulation: list[torch.Tensor],
    turns: tuple[Rope, Rope],
    masks: tuple[torch.Tensor, torch.Tensor | None],
    heads: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One block over the prefix `x` (B, P, D) and the targets `y` (B * K, tokens, D)."""
    still = [row[-1:] for row in modulation]
    moving = [row[:-1] for row in modulation]
    q, k, v = project(weights, x, still[0], turns[0], heads)
    own_q, own_k, own_v = project(weights, y, moving[0], turns[1], heads)
    share = len(y) // len(x)
    seen_k = torch.cat([k.repeat_interleave(share, 0), own_k], dim=2)
    seen_v = torch.cat([v.repeat_interleave(share, 0), own_v], dim=2)
    h, own_h = attend(q, k, v, masks[0]), attend(own_q, seen_k, seen_v, masks[1])
    return finish(weights, x, h, still), finish(weights, y, own_h, moving)


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Attention (B, heads, L, D); on a CPU two products, because its fused backward takes twice as long."""
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e30)
    return scores.softmax(-1) @ v


def project(
    weights: tuple[torch.Tensor, ...], x: torch.Tensor, scale: torch.Tensor, turn: Rope, heads: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values (B, heads, L, D / heads)."""
    h = F.layer_norm(x, x.shape[-1:], eps=1e-6) * scale
    q, k, v = (F.linear(h, w).unflatten(-1, (heads, -1)) for w in weights[:3])
    q = turn_pairs(F.rms_norm(q, q.shape[-1:], weights[4], 1e-6), turn)
    k = turn_pairs(F.rms_norm(k, k.shape[-1:], weights[5], 1e-6), turn)
    return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


def finish(
    weights: tuple[torch.Tensor, ...], x: torch.Tensor, h: torch.Tensor, modulation: list[torch.Tensor]
) -> torch.Tensor:
    """Output projection and feed-forward network, both gated."""
    _, gate1, scale2, gate2 = modulation
    x = x + gate1 * F.linear(h.transpose(1, 2).flatten(2), weights[3])
    h = F.layer_norm(x, x.shape[-1:], eps=1e-6) * scale2
    return x + gate2 * F.linear(F.silu(F.linear(h, weights[6])) * F.linear(h, weights[7]), weights[8])


def turn_pairs(x: torch.Tensor, turn: Rope) -> torch.Tensor:
    """Rotary embedding of neighbouring channel pairs (B, L, H, D): as complex numbers on a CPU, where that is
    three times as fast, and in real ones where a compiler fuses them."""
    cos, sin = turn
    if x.device.type == "cpu":
        pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs * torch.complex(cos.float(), sin.float())).flatten(-2).to(x.dtype)
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
