"""Pictures from the model: the pipeline's sampling loop over the training forward.

Same noise schedule (shifted by token count, exponential) and the same Euler step as
`QwenImage21Pipeline`. Knows nothing of tasks' meaning or of files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKLQwenImage21

from recipes.mini.model import MiniModel
from recipes.mini.scenes import SIZE, Composer
from recipes.mini.tasks import UNCONDITIONAL, Task
from recipes.mini.tokenizer import Prompts
from recipes.mini.vae import PatchCode, decode

BASE_SHIFT, MAX_SHIFT, BASE_TOKENS, MAX_TOKENS = 0.5, 1.15, 256, 4096


def sigmas(steps: int, tokens: int, base_shift: float = BASE_SHIFT) -> list[float]:
    """Noise levels of a run, from 1 down to 0, `steps` + 1 of them."""
    slope = (MAX_SHIFT - base_shift) / (MAX_TOKENS - BASE_TOKENS)
    shift = math.exp(base_shift + slope * (tokens - BASE_TOKENS))
    times = [1 - index * (1 - 1 / steps) / max(steps - 1, 1) for index in range(steps)]
    return [shift / (shift + 1 / t - 1) for t in times] + [0.0]


@dataclass
class Sampler:
    """Answers tasks with pictures (B, 4, 128, 128) in -1..1."""

    model: MiniModel
    vae: AutoencoderKLQwenImage21
    code: PatchCode
    prompts: Prompts
    composer: Composer
    steps: int = 20
    guidance: float = 1.0
    base_shift: float = BASE_SHIFT

    @torch.no_grad()
    def answer(self, tasks: list[Task], seed: int = 0) -> torch.Tensor:
        """One picture per task; each task's noise depends on `seed` and its own number only."""
        latents: list[torch.Tensor] = []
        for index, task in enumerate(tasks):
            generator = torch.Generator().manual_seed(seed * 100_003 + index)
            latents.append(torch.randn(1, self.model.sizes.grid**2, 64, generator=generator))
        found = torch.cat(latents).to(self.composer.device)
        for group in self._groups(tasks):
            found[group] = self._run([tasks[i] for i in group], found[group])
        return decode(self.vae, found, self.code.scale, SIZE).float()

    def _groups(self, tasks: list[Task], most: int = 32) -> list[list[int]]:
        """Indices of tasks with equal token layout."""
        by_length: dict[tuple[bool, int], list[int]] = {}
        for index, task in enumerate(tasks):
            edit = task.source is not None
            key = (edit, len(self.prompts.encode(task.prompt, edit)))
            by_length.setdefault(key, []).append(index)
        return [g[i : i + most] for g in by_length.values() for i in range(0, len(g), most)]

    def _run(self, tasks: list[Task], latents: torch.Tensor) -> torch.Tensor:
        levels = sigmas(self.steps, latents.shape[1], self.base_shift)
        for sigma, following in zip(levels, levels[1:], strict=False):
            velocity = self._velocity(tasks, [t.prompt for t in tasks], latents, sigma)
            if self.guidance > 1:
                without = self._velocity(tasks, [UNCONDITIONAL] * len(tasks), latents, sigma)
                velocity = without + self.guidance * (velocity - without)
            latents = latents + (following - sigma) * velocity
        return latents

    def _velocity(
        self, tasks: list[Task], words: list[str], latents: torch.Tensor, sigma: float
    ) -> torch.Tensor:
        sources = [task.source for task in tasks if task.source is not None]
        pictures = self.composer.paint(sources) if sources else None
        ids = [self.prompts.encode(text, bool(sources)) for text in words]
        velocity = self.model(
            torch.tensor(ids, device=latents.device),
            self.prompts.drop,
            pictures,
            None if pictures is None else self.code.encode(pictures),
            latents[:, None],
            torch.full((len(tasks), 1), sigma, device=latents.device),
        )
        return velocity[:, 0].float()
