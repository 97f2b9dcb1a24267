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
from tqdm import tqdm
from transformers import Qwen3VLForConditionalGeneration

from recipes.mini.composer import Composer
from recipes.mini.guidance import without_words
from recipes.mini.networks import Conditions, MiniModel
from recipes.mini.run import pick_device, pick_dtype, read_recipe
from recipes.mini.tasks import Task
from recipes.mini.tokenizer import Prompts


def sigmas(steps: int, tokens: int, scheduler: dict[str, Any]) -> list[float]:
    """Noise levels of a run, from 1 down to 0, `steps` + 1 of them."""
    first, last = scheduler["base_shift"], scheduler["max_shift"]
    fewest, most = scheduler["base_image_seq_len"], scheduler["max_image_seq_len"]
    shift = math.exp(first + (last - first) / (most - fewest) * (tokens - fewest))
    times = [1 - index * (1 - 1 / steps) / max(steps - 1, 1) for index in range(steps)]
    return [shift / (shift + 1 / t - 1) for t in times] + [0.0]


@torch.no_grad()
def denoise(
    model: MiniModel,
    asked: Conditions,
    latents: torch.Tensor,
    levels: list[float],
    empty: Conditions | None = None,
    guidance: float = 1.0,
) -> torch.Tensor:
    """Euler steps from noise (B, tokens, 64) to clean latents; with guidance, away from what `empty` gives."""
    for sigma, following in itertools.pairwise(levels):
        level = torch.full((len(latents), 1), sigma, device=latents.device)
        velocity = model(asked, latents[:, None], level).velocity[:, 0].float()
        if empty is not None:
            without = model(empty, latents[:, None], level).velocity[:, 0].float()
            velocity = without + guidance * (velocity - without)
        latents = latents + (following - sigma) * velocity
    return latents


@dataclass
class Sampler:
    """Answers tasks with pictures (B, 4, side, side) in -1..1."""

    model: MiniModel
    vae: AutoencoderKLQwenImage21
    prompts: Prompts
    composer: Composer
    scheduler: dict[str, Any]
    world: str
    steps: int = 20
    guidance: float = 1.0
    most: int = 32  # pictures at once

    @classmethod
    def load(cls, folder: Path, device: str = "auto", **options: Any) -> Sampler:
        """From a checkpoint in the diffusers layout, computing in what the engine would take; decoding in fp32."""
        where = pick_device(device)
        dtype = pick_dtype(where)
        transformer = QwenImage21Transformer2DModel.from_pretrained(folder / "transformer", torch_dtype=dtype)
        encoder = Qwen3VLForConditionalGeneration.from_pretrained(folder / "text_encoder", dtype=dtype)
        vae = AutoencoderKLQwenImage21.from_pretrained(folder / "vae")
        side = json.loads((folder / "model_index.json").read_text())["output_resolution"]
        model = MiniModel(encoder, transformer, side // 16).to(where).eval()
        tokenizer = Tokenizer.from_file(str(folder / "processor" / "tokenizer.json"))
        scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        prompts = Prompts(tokenizer, side // 16)
        world = read_recipe(folder)["world"]
        return cls(model, vae.float().to(where), prompts, Composer(where, side), scheduler, world, **options)

    @torch.no_grad()
    def answer(self, tasks: list[Task], seed: int = 0) -> torch.Tensor:
        """One picture per task, on the CPU; its noise depends on `seed` and its number only."""
        latents = torch.cat([self._noise(seed, index) for index in range(len(tasks))]).to(self.composer.device)
        pictures = torch.empty(len(tasks), 4, self.composer.side, self.composer.side)
        for group in tqdm(self._groups(tasks), desc="painting", unit="batch", disable=None):
            found = self._run([tasks[i] for i in group], latents[group])
            pictures[group] = self.decode(found).cpu()
        return pictures

    def _noise(self, seed: int, index: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed * 100_003 + index)
        return torch.randn(1, self.model.grid**2, 64, generator=generator)

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Normalised latent tokens (B, N, 64) to pictures in -1..1."""
        mean, std = self._statistics()
        grid = (latents * std + mean).transpose(1, 2)
        grid = grid.reshape(len(latents), -1, 1, self.model.grid, self.model.grid)
        return self.vae.decode(grid, return_dict=False)[0][:, :, 0]

    @torch.no_grad()
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

    def _groups(self, tasks: list[Task]) -> list[list[int]]:
        """Indices of tasks with equal token layout."""
        by_length: dict[tuple[int, int], list[int]] = {}
        for index, task in enumerate(tasks):
            count = len(task.sources)
            by_length.setdefault((count, len(self.prompts.encode(task.prompt, count))), []).append(index)
        return [g[i : i + self.most] for g in by_length.values() for i in range(0, len(g), self.most)]

    def _run(self, tasks: list[Task], latents: torch.Tensor) -> torch.Tensor:
        asked = self._conditions(tasks)
        empty = without_words(asked, self.prompts) if self.guidance > 1 else None
        levels = sigmas(self.steps, latents.shape[1], self.scheduler)
        return denoise(self.model, asked, latents, levels, empty, self.guidance)

    def _conditions(self, tasks: list[Task]) -> Conditions:
        device, count = self.composer.device, len(tasks[0].sources)
        pictures = torch.stack([self.composer.paint(list(task.sources)) for task in tasks])
        references = self.encode(pictures.flatten(0, 1)).unflatten(0, (len(tasks), count)) if count else pictures
        rows = [self.prompts.encode(task.prompt, count) for task in tasks]
        ids = torch.tensor(rows, device=device)
        lengths = torch.full((len(tasks),), ids.shape[1], device=device)
        return Conditions(ids, lengths, self.prompts.starts(rows[0]), self.prompts.drop, pictures, references)
