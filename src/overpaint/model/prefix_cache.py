"""Keys and values of one prefix, with room behind them for the target that attends to it.

Knows nothing of weights or requests. One buffer per layer holds

    rows [0, prefix_tokens)                  the prefix: written once by prefill, read by every step
    rows [prefix_tokens, capacity)           scratch: the target's keys and values of the layer being computed

so a step never concatenates, and every picture painted from the prefix, at any size, shares one copy: within a
layer they take turns in the scratch rows.
"""

import torch
from torch import Tensor

from overpaint.model.layout import PrefixLayout


class PrefixCache:
    """The stored prefix of one prompt and its references.

    Args:
        layout: the prefix's segments.
        num_layers: transformer blocks.
        kv_shape: heads, and channels a head.
        target_tokens: largest target that will step on it at first; `reserve` grows it.
        dtype: of keys and values.
        device: where they live.
    """

    def __init__(
        self,
        layout: PrefixLayout,
        num_layers: int,
        kv_shape: tuple[int, int],
        target_tokens: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.layout = layout
        self._shape = kv_shape
        rows = layout.num_tokens + target_tokens
        self._layers = [torch.empty(2, rows, *kv_shape, dtype=dtype, device=device) for _ in range(num_layers)]

    @property
    def num_bytes(self) -> int:
        """Bytes held, scratch rows included."""
        return sum(layer.nbytes for layer in self._layers)

    def reserve(self, target_tokens: int) -> None:
        """Make room for a target of this many tokens, keeping the prefix."""
        rows = self.layout.num_tokens + target_tokens
        if rows <= self._layers[0].shape[1]:
            return
        for index, layer in enumerate(self._layers):
            grown = layer.new_empty(2, rows, *self._shape)
            grown[:, : self.layout.num_tokens] = layer[:, : self.layout.num_tokens]
            self._layers[index] = grown

    def copy_from(self, source: "PrefixCache", num_tokens: int) -> None:
        """Take over the first rows of a prefix that begins with the same tokens."""
        for own, other in zip(self._layers, source._layers, strict=True):
            own[:, :num_tokens] = other[:, :num_tokens]

    def store(self, layer: int, start: int, key: Tensor, value: Tensor) -> None:
        """Write `(tokens, heads, head_dim)` keys and values at row `start`."""
        rows = self._layers[layer][:, start : start + key.shape[0]]
        rows[0].copy_(key)
        rows[1].copy_(value)

    def view(self, layer: int, end: int) -> tuple[Tensor, Tensor]:
        """Keys and values of rows `[0, end)`, each `(1, heads, end, head_dim)`."""
        key, value = self._layers[layer][:, :end].transpose(1, 2).unbind()
        return key[None], value[None]
