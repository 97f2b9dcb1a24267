"""Keys and values of a prefix, in blocks that prefixes share.

A block holds what one picture adds, with the words before it, or what the words at the end add. Prefixes that begin
with the same pictures hold the same blocks: nothing is copied when one continues another. A block is written once, by
prefill, and read by every step. Knows nothing of weights or requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overpaint.model.device import move
from overpaint.model.layout import PrefixLayout

_INT8_MAX = 127


@dataclass(frozen=True, slots=True)
class PrefixBlock:
    """Keys and values of consecutive tokens of a prefix, in every layer.

    Args:
        start: first token in the prefix.
        rows: `(layers, 2, tokens, heads, head_dim)`, in the model's dtype or in int8.
        scales: `(layers, 2, tokens, heads, 1)` in the model's dtype: what int8 rows are multiplied with; else None.
    """

    start: int
    rows: Tensor
    scales: Tensor | None = None

    @classmethod
    def empty(
        cls, start: int, shape: Sequence[int], dtype: torch.dtype, device: torch.device, *, in_int8: bool = False
    ) -> "PrefixBlock":
        """A block to be written, of the given shape of `rows`."""
        if not in_int8:
            return cls(start, torch.empty(shape, dtype=dtype, device=device))
        scales = torch.empty(*shape[:-1], 1, dtype=dtype, device=device)
        return cls(start, torch.empty(shape, dtype=torch.int8, device=device), scales)

    @property
    def end(self) -> int:
        """One past the last token."""
        return self.start + self.rows.shape[2]

    @property
    def num_bytes(self) -> int:
        """Bytes held."""
        return self.rows.nbytes + (0 if self.scales is None else self.scales.nbytes)

    def write(self, layer: int, start: int, key: Tensor, value: Tensor) -> None:
        """Take those of the `(tokens, heads, head_dim)` keys and values, which begin at token `start`, that are its."""
        first, last = max(start, self.start), min(start + key.shape[0], self.end)
        if first < last:
            here = slice(first - self.start, last - self.start)
            for side, rows in enumerate((key, value)):
                self._keep(layer, side, here, rows[first - start : last - start])

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        """Its keys and values, each `(tokens, heads, head_dim)`."""
        rows = self.rows[layer]
        if self.scales is not None:
            rows = rows * self.scales[layer]
        key, value = rows.unbind()
        return key, value

    def moved(self, device: torch.device) -> "PrefixBlock":
        """The same on another device."""
        scales = None if self.scales is None else move(self.scales, device)
        return PrefixBlock(self.start, move(self.rows, device), scales)

    def _keep(self, layer: int, side: int, here: slice, rows: Tensor) -> None:
        if self.scales is None:
            self.rows[layer, side, here] = rows
            return
        # Rounded to the model's dtype first, then divided by: the rounding of a scale is no error of what it scales.
        scales = (rows.abs().amax(-1, keepdim=True) / _INT8_MAX).clamp_min(torch.finfo(rows.dtype).tiny)
        self.scales[layer, side, here] = scales
        scaled = (rows.float() / scales.float()).round_().clamp_(-_INT8_MAX, _INT8_MAX)
        self.rows[layer, side, here] = scaled.to(torch.int8)


class PrefixCache:
    """The keys and values of one prompt and its references.

    Args:
        layout: the prefix's segments.
        blocks: one for each of `layout.block_ends`, in order.
    """

    def __init__(self, layout: PrefixLayout, blocks: Sequence[PrefixBlock]) -> None:
        self.layout = layout
        self.blocks = tuple(blocks)

    @property
    def num_bytes(self) -> int:
        """Bytes held, of shared blocks too."""
        return sum(block.num_bytes for block in self.blocks)

    def store(self, layer: int, start: int, key: Tensor, value: Tensor) -> None:
        """Keep `(tokens, heads, head_dim)` keys and values as those of the tokens from `start` on."""
        for block in self.blocks:
            block.write(layer, start, key, value)

    def read(self, layer: int) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of all blocks, each `(tokens, heads, head_dim)`."""
        return [block.read(layer) for block in self.blocks]

    def join(self, layer: int, start: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put the keys and values of the tokens before `start` in front of some, each `(tokens, heads, head_dim)`."""
        before = [block.read(layer) for block in self.blocks if block.start < start]
        if not before:
            return key, value
        keys, values = zip(*before, strict=True)
        return _join(keys, start, key), _join(values, start, value)


def _join(pieces: Sequence[Tensor], start: int, own: Tensor) -> Tensor:
    *whole, last = pieces
    return torch.cat([*whole, last[: start - sum(map(len, whole))], own])
