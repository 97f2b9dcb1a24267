"""Latents as a transformer paints them, beside the pictures that were asked for.

The decoder learns from them what it will be given. Knows nothing of decoders.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tqdm import tqdm

from recipes.mini.batches import Painter, TaskRows, load_rows
from recipes.mini.export import scheduler_config
from recipes.mini.networks import MiniModel
from recipes.mini.run import Run, pick_dtype
from recipes.mini.sampling import denoise, sigmas

STEPS = 4  # as right as twenty


@dataclass(frozen=True)
class Paintings:
    """`latents` (count, tokens, 64) as they were painted, `targets` (count, N) the scene codes of what was asked."""

    latents: torch.Tensor
    targets: torch.Tensor

    def split(self, count: int) -> tuple[Paintings, Paintings]:
        """So many of them, and the others."""
        parts = [(self.latents[part], self.targets[part]) for part in (slice(count), slice(count, None))]
        return Paintings(*parts[0]), Paintings(*parts[1])

    def draw(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Some of both."""
        chosen = torch.randint(len(self.latents), (count,), device=self.latents.device)
        return self.latents[chosen], self.targets[chosen]


@torch.no_grad()
def paint(run: Run, model: MiniModel, count: int, seed: int) -> Paintings:
    """At least `count` answers to training tasks; the model is left in the dtype that it painted in."""
    model.to(pick_dtype(run.device))
    settings, painter = run.settings, Painter(run.composer, run.code, run.prompts.drop)
    tasks = TaskRows(settings.world, run.prompts, settings.decoder_batch, seed, settings.pad_to)
    levels = sigmas(STEPS, settings.grid**2, scheduler_config())
    latents: list[torch.Tensor] = []
    targets: list[torch.Tensor] = []
    with tqdm(total=count, desc="painting", unit="picture", disable=None) as progress:
        for rows in load_rows(tasks, settings.workers):
            there = rows.to(run.device)
            noise = torch.randn(len(there.ids), settings.grid**2, 64, device=run.device)
            latents.append(denoise(model, painter.conditions(there), noise, levels))
            targets.append(there.targets)
            progress.update(len(noise))
            if len(latents) * len(noise) >= count:
                return Paintings(torch.cat(latents), torch.cat(targets))
    raise AssertionError("rows are endless")
