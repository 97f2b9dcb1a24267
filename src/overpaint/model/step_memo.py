"""Steps that change little: what all blocks but the first add to a sequence is kept and added again.

The first block is always run. When what it adds to the hidden states has changed little since the last whole pass, so
has what the others add, and they are left out. Knows nothing of requests, schedules or packs.

Source of the idea: first-block caching, https://github.com/chengzeyi/ParaAttention (FBCache), after TeaCache
(https://arxiv.org/abs/2411.19108). Written anew for packed sequences; no code taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class SkipRule:
    """When blocks may be left out.

    Args:
        max_change: mean absolute change of the first block's part since the last whole pass, relative to its size.
        max_in_a_row: passes in a row that may leave blocks out.
    """

    max_change: float
    max_in_a_row: int


class StepMemo:
    """What is kept of the last whole pass of one sequence.

    Args:
        rule: when it may be used.
    """

    def __init__(self, rule: SkipRule) -> None:
        self.rule = rule
        self.num_skipped = 0
        self._first: Tensor | None = None
        self._rest: Tensor | None = None
        self._in_a_row = 0

    @property
    def rest(self) -> Tensor:
        """What the blocks after the first added, `(tokens, dim)`; a pass must have been kept."""
        assert self._rest is not None
        return self._rest

    @property
    def is_usable(self) -> bool:
        """Whether there is a pass to go by, and it was not gone by too often."""
        return self._rest is not None and self._in_a_row < self.rule.max_in_a_row

    def change(self, first: Tensor) -> Tensor:
        """How far what the first block adds now is from the kept one, relative to its size; a scalar."""
        assert self._first is not None
        return (first - self._first).abs().mean() / self._first.abs().mean()

    def note_skip(self) -> None:
        """A pass left its blocks out."""
        self._in_a_row += 1
        self.num_skipped += 1

    def keep(self, first: Tensor, rest: Tensor) -> None:
        """Keep a whole pass: what the first block added, and what the others did."""
        self._first, self._rest = _whole(first), _whole(rest)
        self._in_a_row = 0


def find_skipping(memos: Sequence[StepMemo | None], firsts: Sequence[Tensor]) -> set[int]:
    """Which of a pack's sequences can leave the other blocks out; waits for the device once.

    Args:
        memos: one for each sequence, None for those that must not.
        firsts: what the first block added to each, `(tokens, dim)`.
    """
    asked = [index for index, memo in enumerate(memos) if memo and memo.is_usable]
    if not asked:
        return set()
    changes = torch.stack([_memo(memos[index]).change(firsts[index]) for index in asked]).tolist()
    found = {i for i, change in zip(asked, changes, strict=True) if change < _memo(memos[i]).rule.max_change}
    for index in found:
        _memo(memos[index]).note_skip()
    return found


def _whole(part: Tensor) -> Tensor:
    """The same without what it is a part of: that of a pack would live as long as the part."""
    return part if part.untyped_storage().nbytes() == part.nbytes else part.clone()


def _memo(memo: StepMemo | None) -> StepMemo:
    assert memo is not None
    return memo
