"""Pictures from an exported checkpoint: the pipeline's sampling loop over the training forward.

Same noise schedule (shifted by token count, exponential) and the same Euler step as
`QwenImage21Pipeline`. Knows nothing of what tasks mean.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLQwenImage21, QwenImage21Transformer2DModel
from tokenizers import Tokenizer
from transformers import Qwen3VLForConditionalGeneration

from recipes.mini.model import MiniModel
from recipes.mini.scenes import Composer
from recipes.mini.tasks import UNCONDITIONAL, Task
from recipes.mini.tokenizer import Prompts


def sigmas(steps: int, tokens: int, scheduler: dict[str, Any]) -> list[float]:
    """Noise levels of a run, from 1 down to 0, `steps` + 1 of them."""
    first, last = scheduler["base_shift"], scheduler["max_shift"]
    fewest, most = scheduler["base_image_seq_len"], scheduler["max_image_seq_len"]
    shift = math.exp(first + (last - first) / (most - fewest) * (tokens - fewest))
    times = [1 - index * (1 - 1 / steps) / max(steps - 1, 1) for index in range(steps)]
    return [shift / (shift + 1 / t - 1) for t in times] + [0.0]


@dataclass
class Sampler:
    """Answers tasks with pictures (B, 4, 128, 128) in -1..1."""

    model: MiniModel
    vae: AutoencoderKLQwenImage21
    prompts: Prompts
    composer: Composer
    scheduler: dict[str, Any]
    steps: int = 20
    guidance: float = 1.0

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", **options: Any) -> Sampler:
        """From a checkpoint in the diffusers layout, computing in fp32."""
        transformer = QwenImage21Transformer2DModel.from_pretrained(folder / "transformer")
        encoder = Qwen3VLForConditionalGeneration.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        vae = AutoencoderKLQwenImage21.from_pretrained(folder / "vae")
        index = json.loads((folder / "model_index.json").read_text())
        grid = index["output_resolution"] // 16
        model = MiniModel(encoder, transformer, grid).float().to(device).eval()
        tokenizer = Tokenizer.from_file(str(folder / "processor" / "tokenizer.json"))
        prompts = Prompts(tokenizer, (grid // 2) ** 2)
        scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        return cls(model, vae.float().to(device), prompts, Composer(device), scheduler, **options)

    @torch.no_grad()
    def answer(self, tasks: list[Task], seed: int = 0) -> torch.Tensor:
        """One picture per task; its noise depends on `seed` and its number only."""
        noise: list[torch.Tensor] = []
        for index in range(len(tasks)):
            generator = torch.Generator().manual_seed(seed * 100_003 + index)
            noise.append(torch.randn(1, self.model.grid**2, 64, generator=generator))
        latents = torch.cat(noise).to(self.composer.device)
        for group in self._groups(tasks):
            latents[group] = self._run([tasks[i] for i in group], latents[group])
        return self.decode(latents)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Normalised latent tokens (B, N, 64) to pictures in -1..1."""
        mean, std = self._statistics()
        grid = (latents * std + mean).transpose(1, 2)
        grid = grid.reshape(len(latents), -1, 1, self.model.grid, self.model.grid)
        return self.vae.decode(grid, return_dict=False)[0][:, :, 0]

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures in -1..1 to normalised latent tokens (B, N, 64)."""
        mean, std = self._statistics()
        found = self.vae.encode(pictures.unsqueeze(2), return_dict=False)[0].mode()
        return (found.flatten(2).transpose(1, 2) - mean) / std

    def _statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        config, device = self.vae.config, self.composer.device
        return (
            torch.tensor(config.latents_mean, device=device),
            torch.tensor(config.latents_std, device=device),
        )

    def _groups(self, tasks: list[Task], most: int = 32) -> list[list[int]]:
        """Indices of tasks with equal token layout."""
        by_length: dict[tuple[bool, int], list[int]] = {}
        for index, task in enumerate(tasks):
            edit = task.source is not None
            key = (edit, len(self.prompts.encode(task.prompt, edit)))
            by_length.setdefault(key, []).append(index)
        return [g[i : i + most] for g in by_length.values() for i in range(0, len(g), most)]

    def _run(self, tasks: list[Task], latents: torch.Tensor) -> torch.Tensor:
        sources = [task.source for task in tasks if task.source is not None]
        pictures = self.composer.paint(sources) if sources else None
        references = None if pictures is None else self.encode(pictures)
        prompts = [task.prompt for task in tasks]
        levels = sigmas(self.steps, latents.shape[1], self.scheduler)
        for sigma, following in itertools.pairwise(levels):
            velocity = self._velocity(prompts, pictures, references, latents, sigma)
            if self.guidance > 1:
                empty = [UNCONDITIONAL] * len(tasks)
                without = self._velocity(empty, pictures, references, latents, sigma)
                velocity = without + self.guidance * (velocity - without)
            latents = latents + (following - sigma) * velocity
        return latents

    def _velocity(
        self,
        prompts: list[str],
        pictures: torch.Tensor | None,
        references: torch.Tensor | None,
        latents: torch.Tensor,
        sigma: float,
    ) -> torch.Tensor:
        ids = [self.prompts.encode(prompt, pictures is not None) for prompt in prompts]
        velocity = self.model(
            torch.tensor(ids, device=latents.device),
            self.prompts.drop,
            pictures,
            references,
            latents[:, None],
            torch.full((len(prompts), 1), sigma, device=latents.device),
        )
        return velocity[:, 0]
