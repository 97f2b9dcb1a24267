"""Low-rank changes that stay apart from the weights: each sequence's own, added to its rows of a pack and to no others.

Nothing is merged, so sequences with different adapters, at different strengths, and with none run in one pass; the rows
of those without are computed as if there were no adapters. Knows linear layers by name and nothing of files.

Source: LoRA, https://arxiv.org/abs/2106.09685; unmerged in one batch as in S-LoRA, https://arxiv.org/abs/2311.03285.
Written anew for packed sequences; no code taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """The change of one linear layer, `x @ down.T @ up.T`.

    Args:
        down: `(rank, inputs)`.
        up: `(outputs, rank)`, the adapter's own strength in it.
    """

    down: Tensor
    up: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """A LoRA adapter, ready to use.

    Args:
        changes: of each linear layer that it changes, by name.
    """

    changes: Mapping[str, LowRank]

    @property
    def num_bytes(self) -> int:
        """Bytes that its tensors take."""
        return sum(change.down.nbytes + change.up.nbytes for change in self.changes.values())

    def to(self, device: torch.device) -> "Adapter":
        """The same on a device."""
        moved = {layer: LowRank(change.down.to(device), change.up.to(device)) for layer, change in self.changes.items()}
        return Adapter(moved)


AdapterMix = tuple[tuple[Adapter, float], ...]
"""The adapters of one sequence, each with the scale it is applied at."""


@dataclass(frozen=True, slots=True)
class RowChanges:
    """Whose rows of a pass are changed by what.

    Args:
        spans: first row, one past the last, and the mix; rows without a mix are in none.
    """

    spans: tuple[tuple[int, int, AdapterMix], ...] = ()

    @classmethod
    def of(cls, mixes: Sequence[AdapterMix], lengths: Sequence[int] | None = None) -> "RowChanges":
        """Of sequences that lie one after the other.

        Args:
            mixes: one for each.
            lengths: their rows; None when each has one.
        """
        spans: list[tuple[int, int, AdapterMix]] = []
        start = 0
        for mix, length in zip(mixes, lengths or [1] * len(mixes), strict=True):
            if spans and spans[-1][1] == start and spans[-1][2] == mix:
                spans[-1] = (spans[-1][0], start + length, mix)
            elif mix:
                spans.append((start, start + length, mix))
            start += length
        return cls(tuple(spans))

    def __bool__(self) -> bool:
        return bool(self.spans)

    def add(self, layer: str, x: Tensor, y: Tensor) -> None:
        """Add to a layer's output, in place.

        Args:
            layer: its name.
            x: its input, `(rows, inputs)`.
            y: its output, `(rows, outputs)`; may be columns of a wider one.
        """
        for start, end, mix in self.spans:
            for adapter, scale in mix:
                if change := adapter.changes.get(layer):
                    y[start:end].addmm_(x[start:end] @ change.down.T, change.up.T, alpha=scale)


NO_CHANGES = RowChanges()
