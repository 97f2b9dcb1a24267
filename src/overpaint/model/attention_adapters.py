"""Three ways to attend, and which one a device takes. Knows nothing of blocks or weights.

`SequenceAttention`  one call for each sequence; anywhere
`ProductAttention`   the same as two matrix products, for processors that multiply bfloat16 in hardware
`VarlenAttention`    one call for the whole pack, over keys and values gathered into one buffer; CUDA
"""

import logging
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

_log = logging.getLogger(__name__)
_MIN_QUERIES, _MIN_SCORES = 32, 96 * 96
"""From which on two products are faster than PyTorch's flash attention on a CPU (docs/log.md); scores of one head."""
_MAX_SCORES = 2**25
"""Scores held at once; longer sequences go by blocks of queries."""
PLAN_QUERIES = 8192
"""From which on a target may be attended to by a kernel that needs a plan for its shape.

By arithmetic, not measured: there cuDNN saves about 30 ms a step of the 7B model, which pays for its plan within the
fewest steps that a picture takes; with half as many queries it saves 8 ms.
"""
_VARLEN_CAPABILITY = (8, 0)
_VARLEN_MODULE = "torch.nn.attention.varlen"

VarlenKernel = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int, int], Tensor]
"""The part of `torch.nn.attention.varlen.varlen_attn` that all releases from 2.10 on have in common.

Query, key and value `(rows, heads, head_dim)`; where each sequence's queries and keys begin, and the end, `(n + 1,)`
int32; the longest of each. Gives `(query rows, heads, head_dim)`."""


def choose_attention(device: torch.device, dtype: torch.dtype, plan_queries: int = PLAN_QUERIES) -> Attention:
    """The fastest that this device can do in this dtype; `plan_queries` as for `SequenceAttention`."""
    if device.type == "cpu" and dtype == torch.bfloat16 and has_cpu_bfloat16():
        return ProductAttention()
    if device.type == "cuda" and dtype in (torch.bfloat16, torch.float16) and _has_varlen(device):
        # Imported here because it registers operators. It gives a pair only when asked for one.
        kernel = cast("VarlenKernel", import_module(_VARLEN_MODULE).varlen_attn)
        if _runs(kernel, device, dtype):
            return VarlenAttention(kernel, device, plan_queries)
    return SequenceAttention(plan_queries)


def _runs(kernel: VarlenKernel, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a kernel does what it is there for: a build of PyTorch may have its name and not its code."""
    rows, starts = torch.zeros(4, 1, 64, device=device, dtype=dtype), torch.tensor([0, 1, 4], device=device).int()
    try:
        kernel(rows, rows, rows, starts, starts, 3, 3)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, NotImplementedError, TypeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        _log.warning("packs are attended to sequence by sequence: %s does not run here (%s)", _VARLEN_MODULE, reason)
        return False
    return True


def _has_varlen(device: torch.device) -> bool:
    is_able = torch.version.hip is None and torch.cuda.get_device_capability(device) >= _VARLEN_CAPABILITY
    return is_able and find_spec(_VARLEN_MODULE) is not None


class SequenceAttention:
    """Sequence by sequence, each over its own rows brought together.

    Args:
        plan_queries: from so many queries on a target may be attended to by a kernel that needs a plan for its shape.
    """

    def __init__(self, plan_queries: int = PLAN_QUERIES) -> None:
        self._plan_queries = plan_queries

    def over(self, caches: Sequence[PrefixCache], lengths: Sequence[int]) -> PackAttention:
        """See `Attention.over`."""

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            parts = (part.split(list(lengths)) for part in (query, key, value))
            attended = [
                self._whole(part, *cache.join(layer, cache.layout.num_tokens, *own))
                for cache, part, *own in zip(caches, *parts, strict=True)
            ]
            return torch.cat(attended) if len(attended) > 1 else attended[0]

        return attend

    def inside(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `Attention.inside`."""
        return sdpa(query, key, value, mask)

    def _whole(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """`inside` of a target, which comes again in the same shape at every step."""
        if len(query) >= self._plan_queries and query.is_cuda:
            return sdpa(query, key, value, may_plan=True)
        return self.inside(query, key, value)


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
        plan_queries: for a pack of one, as for `SequenceAttention`.
    """

    def __init__(self, kernel: VarlenKernel, device: torch.device, plan_queries: int = PLAN_QUERIES) -> None:
        super().__init__(plan_queries)
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
