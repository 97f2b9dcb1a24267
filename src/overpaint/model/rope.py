"""Three-axis rotary positions (frame, height, width), as real-valued cosine and sine tables.

Knows nothing of attention. Text tokens carry one position on all axes; an image block is frozen on the frame axis
and centred on zero on the other two.

Source: `QwenImage21Rope` of diffusers 0.42.1.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overpaint.model.layout import Grid, Segment

_KEPT_TABLES = 64


@dataclass(frozen=True, slots=True)
class RopeSpec:
    """Rotary dimensions per axis (frame, height, width), all even, and the base."""

    axes_dims: tuple[int, ...]
    theta: float = 10000.0


def prefix_positions(segments: Sequence[Segment]) -> Tensor:
    """Positions of the tokens of consecutive prefix segments: `(tokens, 3)` int64."""
    parts = [
        _block_positions(segment.position, segment.grid)
        if segment.grid
        else torch.arange(segment.position, segment.position + segment.num_tokens)[:, None].expand(-1, 3)
        for segment in segments
    ]
    return torch.cat(parts) if parts else torch.empty(0, 3, dtype=torch.long)


def target_positions(position: int, grid: Grid) -> Tensor:
    """Positions of the target's tokens: `(height * width, 3)` int64."""
    return _block_positions(position, grid)


def _block_positions(position: int, grid: Grid) -> Tensor:
    height, width = grid
    rows = torch.arange(height) - (height - height // 2)
    columns = torch.arange(width) - (width - width // 2)
    frame = torch.full((height * width,), position)
    return torch.stack([frame, rows.repeat_interleave(width), columns.repeat(height)], dim=1)


def rope_table(positions: Tensor, spec: RopeSpec, device: torch.device) -> Tensor:
    """Unit complex rotations of all tokens.

    Args:
        positions: `(tokens, 3)` int64.
        spec: dimensions per axis.
        device: where the table is wanted.

    Returns:
        `(tokens, 1, 1, head_dim / 2)` complex64, to broadcast over query/key and heads.
    """
    angles = [
        torch.outer(positions[:, axis].float(), _inverse_frequencies(dim, spec.theta))
        for axis, dim in enumerate(spec.axes_dims)
    ]
    joined = torch.cat(angles, dim=-1)
    return torch.polar(torch.ones_like(joined), joined)[:, None, None].to(device)


def _inverse_frequencies(dim: int, theta: float) -> Tensor:
    return 1.0 / torch.pow(theta, torch.arange(0, dim, 2, dtype=torch.float32).div(dim))


def pack_tables(tables: Sequence[Tensor]) -> Tensor:
    """Join the tables of several sequences along the tokens."""
    return tables[0] if len(tables) == 1 else torch.cat(list(tables))


class RopeTables:
    """Tables on a device. Those of targets are the same at every step, so the last few are kept.

    Args:
        spec: dimensions per axis.
        device: where they are wanted.
    """

    def __init__(self, spec: RopeSpec, device: torch.device) -> None:
        self._spec = spec
        self._device = device
        self._of_targets: OrderedDict[tuple[int, Grid], Tensor] = OrderedDict()

    def of_prefix(self, segments: Sequence[Segment]) -> Tensor:
        """The table of consecutive prefix segments (see `rope_table`)."""
        return rope_table(prefix_positions(segments), self._spec, self._device)

    def of_target(self, position: int, grid: Grid) -> Tensor:
        """The table of a target that stands at a position (see `rope_table`)."""
        key = (position, grid)
        if key not in self._of_targets:
            self._of_targets[key] = rope_table(target_positions(position, grid), self._spec, self._device)
        self._of_targets.move_to_end(key)
        if len(self._of_targets) > _KEPT_TABLES:
            self._of_targets.popitem(last=False)
        return self._of_targets[key]
