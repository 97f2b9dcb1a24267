"""Attention of a pack: the port that the forward calls, and block-causal attention inside a prefix.

Each sequence sees only its own prefix and itself, under `(query >= key) or same image block`: text is causal, a picture
is whole inside, later sees earlier. So a target sees its whole prefix and itself, without a mask. Knows nothing of
projections or weights.
"""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from overpaint.model.layout import Segment
from overpaint.model.prefix_cache import PrefixCache


class PackAttention(Protocol):
    """Attention of one pack of targets, layer after layer."""

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend from every target to its whole prefix and itself.

        Args:
            layer: transformer block.
            query: `(tokens, heads, head_dim)`, the targets one after the other.
            key: likewise, of the targets alone.
            value: likewise.

        Returns:
            `(tokens, heads * head_dim)`.
        """
        ...


class Attention(Protocol):
    """A way to attend."""

    def over(self, caches: Sequence[PrefixCache], lengths: Sequence[int]) -> PackAttention:
        """For a pack of targets.

        Args:
            caches: each one's prefix; several may share one.
            lengths: each one's tokens.
        """
        ...

    def inside(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """One sequence.

        Args:
            query: `(tokens, heads, head_dim)`.
            key: `(rows, heads, head_dim)`.
            value: likewise.
            mask: `(tokens, rows)`, True may look; None looks everywhere.

        Returns:
            `(tokens, heads * head_dim)`.
        """
        ...


def attend_prefix(
    attention: Attention,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    segments: Sequence[Segment],
    masks: Sequence[Tensor | None],
) -> Tensor:
    """Attend inside a prefix, segment by segment.

    Args:
        attention: with what.
        query: `(tokens, heads, head_dim)` of the given segments.
        key: `(tokens up to the end of the last segment, heads, head_dim)`.
        value: likewise.
        segments: consecutive ones.
        masks: one per segment, from `segment_masks`.

    Returns:
        `(tokens, heads * head_dim)`.
    """
    queries = query.split([segment.num_tokens for segment in segments])
    return torch.cat(
        [
            attention.inside(part, key[: segment.end], value[: segment.end], mask)
            for part, segment, mask in zip(queries, segments, masks, strict=True)
        ]
    )


def segment_masks(segments: Sequence[Segment], device: torch.device) -> list[Tensor | None]:
    """Bool masks `(tokens, end)` of the text runs (True may look); None for image blocks, which see all before."""
    return [None if segment.grid else _causal_mask(segment, device) for segment in segments]


def _causal_mask(segment: Segment, device: torch.device) -> Tensor:
    mask = torch.ones(segment.num_tokens, segment.end, dtype=torch.bool, device=device)
    return mask.tril_(segment.start)


def without_plans(device: torch.device) -> AbstractContextManager[None]:
    """Have PyTorch attend without cuDNN for the length of a block.

    From cuDNN 9.15 on that is its first choice on compute capability 9.0 and 10.0: fast, but it makes a plan for every
    number of queries and keys, a few tenths of a second each, and each prompt has a length of its own. The choice is
    one for the process, so other threads attend without it meanwhile, too.
    """
    is_planned = device.type == "cuda" and torch.backends.cuda.cudnn_sdp_enabled()
    return _without_cudnn() if is_planned else nullcontext()


@contextmanager
def _without_cudnn() -> Generator[None]:
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(True)


def sdpa(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, may_plan: bool = False) -> Tensor:
    """PyTorch's own choice of kernel, with the shapes of `Attention.inside`.

    Args:
        query: as there, and the next three likewise.
        key: likewise.
        value: likewise.
        mask: likewise.
        may_plan: whether there is so much to do in this shape that a plan for it pays.
    """
    heads = (rows.transpose(0, 1)[None] for rows in (query, key, value))
    with nullcontext() if may_plan else without_plans(query.device):
        out = F.scaled_dot_product_attention(*heads, attn_mask=mask)
    return out[0].transpose(0, 1).flatten(1)
