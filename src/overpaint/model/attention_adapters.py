"""Three ways to attend, and which one a device takes. Knows nothing of blocks or weights.

`SequenceAttention`  one call for each sequence; anywhere
`ProductAttention`   the same as two matrix products, for processors that multiply bfloat16 in hardware
`VarlenAttention`    one call for the whole pack, over keys and values gathered into one buffer; CUDA
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate
from typing import cast

import torch
from torch import Tensor

from overpaint.model.attention import Attention, PackAttention, sdpa
from overpaint.model.device import has_cpu_bfloat16
from overpaint.model.prefix_cache import PrefixCache

_MIN_QUERIES, _MIN_SCORES = 32, 96 * 96
"""From which on two products are faster than PyTorch's flash attention on a CPU (docs/log.md); scores of one head."""
_MAX_SCORES = 2**25
"""Scores held at once; longer sequences go by blocks of queries."""
_VARLEN_CAPABILITY = (8, 0)
_VARLEN_MODULE = "torch.nn.attention.varlen"

VarlenKernel = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int, int], Tensor]
"""The part of `torch.nn.attention.varlen.varlen_attn` that all releases from 2.10 on have in common.

Query, key and value `(rows, heads, head_dim)`; where each sequence's queries and keys begin, and the end, `(n + 1,)`
int32; the longest of each. Gives `(query rows, heads, head_dim)`."""


def choose_attention(device: torch.device, dtype: torch.dtype) -> Attention:
    """The fastest that this device can do in this dtype."""
    if device.type == "cpu" and dtype == torch.bfloat16 and has_cpu_bfloat16():
        return ProductAttention()
    if device.type == "cuda" and dtype in (torch.bfloat16, torch.float16) and _has_varlen(device):
        # Imported here because it registers operators. It gives a pair only when asked for one.
        kernel = cast("VarlenKernel", import_module(_VARLEN_MODULE).varlen_attn)
        return VarlenAttention(kernel, device)
    return SequenceAttention()


def _has_varlen(device: torch.device) -> bool:
    is_able = torch.version.hip is None and torch.cuda.get_device_capability(device) >= _VARLEN_CAPABILITY
    return is_able and find_spec(_VARLEN_MODULE) is not None


class SequenceAttention:
    """Sequence by sequence, each over its own rows brought together."""

    def over(self, caches: Sequence[PrefixCache], lengths: Sequence[int]) -> PackAttention:
        """See `Attention.over`."""

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            parts = (part.split(list(lengths)) for part in (query, key, value))
            attended = [
                self.inside(part, *cache.join(layer, cache.layout.num_tokens, *own))
                for cache, part, *own in zip(caches, *parts, strict=True)
            ]
            return torch.cat(attended) if len(attended) > 1 else attended[0]

        return attend

    def inside(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `Attention.inside`."""
        return sdpa(query, key, value, mask)


class ProductAttention(SequenceAttention):
    """Two matrix products and a softmax, where PyTorch's own kernel multiplies slower than its matrix library does.

    Scores are rounded to bfloat16 before the softmax, which is computed in fp32: an error of up to 2^-9 of a score.
    """

    def inside(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `Attention.inside`."""
        if mask is not None or len(query) < _MIN_QUERIES or len(query) * len(key) < _MIN_SCORES:
            return sdpa(query, key, value, mask)
        rows = max(_MIN_QUERIES, _MAX_SCORES // (key.shape[0] * key.shape[1]))
        return torch.cat([_multiply(block, key, value) for block in query.split(rows)])


def _multiply(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    # Keys head by head first: the product would bring its second matrix into order too, but ten times slower.
    keys = key.transpose(0, 1).contiguous().mT
    scores = torch.bmm(query.transpose(0, 1) * query.shape[-1] ** -0.5, keys)
    torch.softmax(scores, -1, out=scores)
    return torch.bmm(scores, value.transpose(0, 1)).transpose(0, 1).flatten(1)


class VarlenAttention(SequenceAttention):
    """One kernel for the whole pack, over the rows of all.

    Args:
        kernel: `torch.nn.attention.varlen.varlen_attn`, or what computes the same.
        device: where everything is.
    """

    def __init__(self, kernel: VarlenKernel, device: torch.device) -> None:
        self._kernel = kernel
        self._device = device

    def over(self, caches: Sequence[PrefixCache], lengths: Sequence[int]) -> PackAttention:
        """See `Attention.over`."""
        if len(caches) == 1:
            return super().over(caches, lengths)
        rows = [cache.layout.num_tokens + length for cache, length in zip(caches, lengths, strict=True)]
        query_starts, key_starts = self._starts(lengths), self._starts(rows)

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            own = zip(key.split(list(lengths)), value.split(list(lengths)), strict=True)
            pieces = [piece for cache, rows in zip(caches, own, strict=True) for piece in (*cache.read(layer), rows)]
            keys, values = (torch.cat(side) for side in zip(*pieces, strict=True))
            return self._kernel(query, keys, values, query_starts, key_starts, max(lengths), max(rows)).flatten(1)

        return attend

    def _starts(self, lengths: Sequence[int]) -> Tensor:
        return torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=self._device)
