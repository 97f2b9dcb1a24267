"""Batches for training: tasks painted, encoded and grouped so that no sample needs padding.

Padding would shift the rotary positions, so a batch holds samples of one kind (with or without a
reference) and one token length. Knows nothing of networks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from recipes.mini.scenes import Composer
from recipes.mini.tasks import POLISH, WEIGHTS, Task, training_tasks
from recipes.mini.tokenizer import Prompts
from recipes.mini.vae import PatchCode


@dataclass(frozen=True)
class Batch:
    """`ids` (B, T), `pictures` (B, 4, H, W) or None, their `references`, `targets` (B, N, 64)."""

    ids: torch.Tensor
    pictures: torch.Tensor | None
    references: torch.Tensor | None
    targets: torch.Tensor


class Batches:
    """Turns endless tasks into endless batches on a device."""

    def __init__(
        self, prompts: Prompts, code: PatchCode, composer: Composer, size: int, seed: int, polish: bool = False
    ) -> None:
        self.prompts, self.code, self.composer, self.size = prompts, code, composer, size
        self.tasks = training_tasks(seed, weights=POLISH if polish else WEIGHTS)

    def __iter__(self) -> Iterator[Batch]:
        groups: defaultdict[tuple[bool, int], list[Task]] = defaultdict(list)
        for task in self.tasks:
            edit = task.source is not None
            group = groups[edit, len(self.prompts.encode(task.prompt, edit))]
            group.append(task)
            if len(group) == self.size:
                yield self.build(group)
                group.clear()

    def build(self, tasks: list[Task]) -> Batch:
        """Paint and encode tasks of one layout."""
        sources = [task.source for task in tasks if task.source is not None]
        pictures = self.composer.paint(sources) if sources else None
        ids = [self.prompts.encode(task.prompt, bool(sources)) for task in tasks]
        return Batch(
            torch.tensor(ids, device=self.composer.device),
            pictures,
            None if pictures is None else self.code.encode(pictures),
            self.code.encode(self.composer.paint([task.target for task in tasks])),
        )
