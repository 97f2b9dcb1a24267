"""Where every prefix token stands: runs of text, blocks of image latents, and their rotary positions.

Pure arithmetic over token ids; knows no tensors and no weights.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

Grid = tuple[int, int]
"""Height and width of an image block, in latent tokens."""

TOKENS_PER_SLOT = 4
"""Latent tokens that one vision slot of the encoder stands for (2x2)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of text tokens, or one image block.

    Args:
        start: first token in the prefix.
        end: one past the last token.
        position: rotary position of the run's first token, or of the whole block on the frame axis.
        grid: the block's grid; None for text.
    """

    start: int
    end: int
    position: int
    grid: Grid | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens in the segment."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class PrefixLayout:
    """The prefix as segments in order.

    Args:
        segments: text runs and image blocks, contiguous from token 0.
        target_position: frame position at which the target block is frozen.
    """

    segments: tuple[Segment, ...]
    target_position: int

    @property
    def num_tokens(self) -> int:
        """Tokens in the whole prefix."""
        return self.segments[-1].end if self.segments else 0

    @property
    def block_ends(self) -> tuple[int, ...]:
        """One past the last token of each picture, and of the words behind the last one."""
        ends = [segment.end for segment in self.segments if segment.grid]
        return tuple(dict.fromkeys([*ends, self.num_tokens]))

    @property
    def grids(self) -> tuple[Grid, ...]:
        """Grids of the reference pictures, in order."""
        return tuple(segment.grid for segment in self.segments if segment.grid)


def layout_prefix(is_slot: Sequence[bool], grids: Sequence[Grid]) -> PrefixLayout:
    """Lay out the encoder's tokens as the transformer sees them.

    Text advances one shared position; an image block freezes the frame axis, and what follows continues
    `max(height, width)` later.

    Args:
        is_slot: per encoder token (system turn dropped), whether it is a vision slot.
        grids: grid of each reference, in order; each must cover four tokens for each of its slots.

    Raises:
        ValueError: slots and grids do not match.

    Source: `QwenImage21Rope.forward` and `build_token_metadata` of diffusers 0.42.1.
    """
    segments: list[Segment] = []
    start = position = 0
    for num_tokens, grid in _runs(is_slot, grids):
        segments.append(Segment(start, start + num_tokens, position, grid))
        start += num_tokens
        position += max(grid) if grid else num_tokens
    return PrefixLayout(tuple(segments), position)


def _runs(is_slot: Sequence[bool], grids: Sequence[Grid]) -> Iterator[tuple[int, Grid | None]]:
    """Yield `(tokens, grid)` of each text run and image block; neighbouring blocks stay apart."""
    remaining = iter(grids)
    for slots, run in groupby(is_slot):
        num_encoder_tokens = len(list(run))
        if not slots:
            yield num_encoder_tokens, None
            continue
        num_tokens = num_encoder_tokens * TOKENS_PER_SLOT
        while num_tokens:
            grid = next(remaining, None)
            if grid is None or math.prod(grid) > num_tokens:
                raise ValueError(f"vision slots for {num_tokens} latent tokens do not fit the grids {list(grids)}")
            yield math.prod(grid), grid
            num_tokens -= math.prod(grid)
    if next(remaining, None) is not None:
        raise ValueError(f"the prompt has fewer vision slots than the grids {list(grids)} need")
