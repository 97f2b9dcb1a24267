"""What is minimised: flow matching, and auxiliary heads that name what stands where.

The auxiliary heads read hidden states and answer, for every cell, which object covers it and with
which part. They turn "which of the two objects is meant" into a question with a sharp answer and are
thrown away after training. Knows nothing of optimisers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from recipes.mini.batches import Batch
from recipes.mini.composer import KINDS, PARTS, Labels
from recipes.mini.guidance import Teacher
from recipes.mini.networks import MiniModel, Sizes
from recipes.mini.vae import PatchCode

AUXILIARY = 0.03  # weight of the heads beside the velocity
EDITED = 2.0  # additional weight of what an edit changes


class Heads(nn.Module):
    """One linear head for each place that is read: targets, references, the encoder's slots."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        widths = (sizes.width, sizes.width, sizes.text_width)
        self.readers = nn.ModuleList(nn.Linear(width, KINDS + PARTS**2) for width in widths)

    def forward(self, index: int, hidden: torch.Tensor, labels: Labels) -> torch.Tensor:
        """Cross entropy of kind and part; `hidden` (B, cells, D), parts count where there is something."""
        logits = self.readers[index](hidden).float().flatten(0, -2)
        kinds, parts = labels.kinds.flatten(), labels.parts.flatten()
        part = F.cross_entropy(logits[:, KINDS:], parts, reduction="none")
        covered = (kinds > 0).float()
        return F.cross_entropy(logits[:, :KINDS], kinds) + (part * covered).sum() / len(kinds)


class Networks(nn.Module):
    """All that is trained."""

    def __init__(self, model: MiniModel, heads: Heads) -> None:
        super().__init__()
        self.model, self.heads = model, heads


def channel_weights(code: PatchCode) -> torch.Tensor:
    """Loss weights (64,): components that are seen more weigh mildly more; mean one."""
    weights = (code.std / code.std[0]).sqrt().clamp(min=0.2)
    return weights / weights.mean()


def draw_sigma(shape: tuple[int, int], shift: float, device: torch.device) -> torch.Tensor:
    """Noise levels in 0..1, one stratum per target of a sample, shifted towards noise.

    Under little noise the target gives itself away; only under much noise must the answer come
    from the instruction and the reference.
    """
    even = (torch.arange(shape[1], device=device) + torch.rand(shape, device=device)) / shape[1]
    return (shift * even / (1 + (shift - 1) * even)).clamp(0.002, 1.0)


def flow_loss(
    networks: Networks,
    batch: Batch,
    noises: int,
    shift: float,
    weights: torch.Tensor,
    teacher: Teacher | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss, and its velocity part alone: weighted mean square errors of `noise - latents`, steered by a teacher."""
    clean = batch.targets[:, None]
    sigma = draw_sigma((len(clean), noises), shift, clean.device)
    noise = torch.randn(len(clean), noises, *clean.shape[2:], device=clean.device)
    mix = sigma[:, :, None, None]
    noisy, wanted = (1 - mix) * clean + mix * noise, noise - clean
    if teacher is not None:
        wanted = wanted + teacher.steer(batch.conditions, noisy, sigma)
    answer = networks.model(batch.conditions, noisy, sigma)
    error = ((answer.velocity.float() - wanted).square() * weights).mean(-1)
    focus = 1 + EDITED * batch.changed
    velocity = (error * (focus / focus.mean(-1, keepdim=True))[:, None]).mean()
    target, seen, slots = batch.labels
    repeated = Labels(_each(target.kinds, noises), _each(target.parts, noises))
    named = networks.heads(0, answer.targets.flatten(1, 2), repeated)
    if batch.conditions.pictures.shape[1]:
        named = named + networks.heads(1, answer.references, seen) + networks.heads(2, answer.slots, slots)
    return velocity + AUXILIARY * named, error.mean().detach()


def _each(labels: torch.Tensor, noises: int) -> torch.Tensor:
    return labels[:, None].expand(-1, noises, -1)
