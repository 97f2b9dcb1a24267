"""Batches for training: tasks drawn and worded by worker processes, painted and encoded on the device.

A batch holds tasks with one number of pictures; prompts are padded at the end to a fixed length per
number on a GPU (few shapes, compiled once each), to the longest of the batch on a CPU. Workers send
rows of integers only. Knows nothing of networks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from recipes.mini.composer import Composer, Labels, encode
from recipes.mini.networks import Conditions
from recipes.mini.tasks import Task, training_tasks
from recipes.mini.tokenizer import Prompts
from recipes.mini.vae import PatchCode
from recipes.mini.world import World


@dataclass(frozen=True)
class Rows:
    """A batch as integers: `ids` (B, T), `lengths` (B,), where pictures' slots begin, scene codes of
    sources (B, R, N) and targets (B, N)."""

    ids: torch.Tensor
    lengths: torch.Tensor
    starts: tuple[int, ...]
    sources: torch.Tensor
    targets: torch.Tensor

    def to(self, device: torch.device) -> Rows:
        ids, lengths, sources, targets = (
            t.to(device, non_blocking=True) for t in (self.ids, self.lengths, self.sources, self.targets)
        )
        return Rows(ids, lengths, self.starts, sources, targets)


@dataclass(frozen=True)
class Batch:
    """Conditions, clean `targets` (B, tokens, 64), `changed` (B, tokens) where they differ from the last
    reference, and what covers the target's cells, the references' cells and the encoder's slots."""

    conditions: Conditions
    targets: torch.Tensor
    changed: torch.Tensor
    labels: tuple[Labels, Labels, Labels]


class TaskRows(IterableDataset[Rows]):
    """Endless rows; every worker draws from a seed of its own."""

    def __init__(self, world: World, prompts: Prompts, size: int, seed: int, pad_to: int | None) -> None:
        self.world, self.prompts, self.size, self.seed, self.pad_to = world, prompts, size, seed, pad_to

    def __iter__(self) -> Iterator[Rows]:
        worker = get_worker_info()
        groups: defaultdict[tuple[int, int], list[tuple[Task, list[int]]]] = defaultdict(list)
        for task in training_tasks(self.world, self.seed * 1009 + (worker.id if worker else 0)):
            count = len(task.sources)
            ids = self.prompts.encode(task.prompt, count)
            limit = len(ids) if self.pad_to is None else self.prompts.drop + self.pad_to + count * self.prompts.slots
            if len(ids) > limit:
                continue
            group = groups[count, limit]
            group.append((task, ids))
            if len(group) == self.size:
                yield pack(group, limit, self.prompts.starts(group[0][1]))
                group.clear()


def pack(group: list[tuple[Task, list[int]]], length: int, starts: tuple[int, ...]) -> Rows:
    """Tasks with equal numbers of pictures, padded to `length` tokens."""
    ids = torch.zeros(len(group), length, dtype=torch.int64)
    for row, (_, tokens) in zip(ids, group, strict=True):
        row[: len(tokens)] = torch.tensor(tokens)
    sources = torch.stack([encode(list(task.sources)) for task, _ in group])
    targets = encode([task.target for task, _ in group])
    return Rows(ids, torch.tensor([len(tokens) for _, tokens in group]), starts, sources, targets)


class Painter:
    """Turns rows into batches on the device."""

    def __init__(self, composer: Composer, code: PatchCode, drop: int) -> None:
        self.composer, self.code, self.drop = composer, code.to(composer.device), drop
        self.grid = composer.side // 16

    def conditions(self, rows: Rows) -> Conditions:
        b, count = rows.sources.shape[:2]
        pictures = self.composer.paint_codes(rows.sources.flatten(0, 1)).unflatten(0, (b, count))
        references = self.code.encode(pictures.flatten(0, 1)).unflatten(0, (b, count))
        return Conditions(rows.ids, rows.lengths, rows.starts, self.drop, pictures, references)

    def batch(self, rows: Rows) -> Batch:
        rows = rows.to(self.composer.device)
        conditions = self.conditions(rows)
        targets = self.code.encode(self.composer.paint_codes(rows.targets))
        changed = torch.zeros_like(targets[..., 0])
        if rows.sources.shape[1]:
            changed = ((targets - conditions.references[:, -1]).abs().amax(-1) > 0.05).float()
        seen = rows.sources.flatten(0, 1)
        labels = (
            self.composer.label(rows.targets, self.grid),
            self.composer.label(seen, self.grid),
            self.composer.label(seen, self.grid // 2),
        )
        return Batch(conditions, targets, changed, labels)


def load_rows(rows: TaskRows, workers: int) -> Iterator[Rows]:
    """Rows from worker processes, or from this one when there are none."""
    options: dict[str, Any] = {"prefetch_factor": 4, "persistent_workers": True} if workers else {}
    return iter(DataLoader(rows, batch_size=None, num_workers=workers, **options))
