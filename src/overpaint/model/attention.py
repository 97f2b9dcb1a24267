"""Block-causal attention over a pack: each sequence sees only its own prefix and itself.

`(query >= key) or same image block`: text is causal, a picture is whole inside, later sees earlier. Knows nothing of
projections or weights.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from overpaint.model.layout import Segment
from overpaint.model.prefix_cache import PrefixCache


def attend_target(query: Tensor, cache: PrefixCache, layer: int) -> Tensor:
    """Attend from a target to its whole prefix and itself (its rows must be stored already).

    Args:
        query: `(tokens, heads, head_dim)`.
        cache: the sequence's prefix, with the target's keys and values in the scratch rows.
        layer: transformer block.

    Returns:
        `(tokens, heads * head_dim)`.
    """
    key, value = cache.view(layer, cache.layout.num_tokens + query.shape[0])
    return _sdpa(query, key, value, None)


def attend_prefix(
    query: Tensor, cache: PrefixCache, layer: int, segments: Sequence[Segment], masks: Sequence[Tensor | None]
) -> Tensor:
    """Attend inside a prefix, segment by segment.

    Args:
        query: `(tokens, heads, head_dim)` of the given segments.
        cache: the prefix, its keys and values stored up to the end of the last given segment.
        layer: transformer block.
        segments: consecutive ones.
        masks: one per segment, from `segment_masks`.

    Returns:
        `(tokens, heads * head_dim)`.
    """
    parts: list[Tensor] = []
    queries = query.split([segment.num_tokens for segment in segments])
    for segment_query, segment, mask in zip(queries, segments, masks, strict=True):
        key, value = cache.view(layer, segment.end)
        parts.append(_sdpa(segment_query, key, value, mask))
    return torch.cat(parts)


def segment_masks(segments: Sequence[Segment], device: torch.device) -> list[Tensor | None]:
    """Bool masks `(tokens, end)` of the text runs (True may look); None for image blocks, which see all before."""
    return [None if segment.grid else _causal_mask(segment, device) for segment in segments]


def _causal_mask(segment: Segment, device: torch.device) -> Tensor:
    mask = torch.ones(segment.num_tokens, segment.end, dtype=torch.bool, device=device)
    return mask.tril_(segment.start)


def _sdpa(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    out = F.scaled_dot_product_attention(query.transpose(0, 1)[None], key, value, attn_mask=mask)
    return out[0].transpose(0, 1).flatten(1)
