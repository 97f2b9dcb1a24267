"""When work may be left out, and what is put in its place."""

import pytest
import torch

from overpaint.engine.acceleration import RULES, may_skip_at
from overpaint.model.step_memo import SkipRule, StepMemo, find_skipping

_FIRST, _REST = torch.ones(4, 8), torch.full((4, 8), 2.0)


def _memo(max_change: float = 0.1, max_in_a_row: int = 2) -> StepMemo:
    memo = StepMemo(SkipRule(max_change, max_in_a_row))
    memo.keep(_FIRST, _REST)
    return memo


def test_only_who_changed_little_skips() -> None:
    near, far = _memo(), _memo()
    assert find_skipping([near, None, far], [_FIRST * 1.05, _FIRST, _FIRST * 1.5]) == {0}
    assert torch.equal(near.rest, _REST)


def test_nothing_is_skipped_before_a_whole_pass() -> None:
    assert find_skipping([StepMemo(SkipRule(1.0, 9))], [_FIRST]) == set()


def test_a_whole_pass_comes_after_so_many_skips() -> None:
    memo = _memo(max_in_a_row=2)
    assert [find_skipping([memo], [_FIRST]) for _ in range(3)] == [{0}, {0}, set()]
    memo.keep(_FIRST, _REST)
    assert find_skipping([memo], [_FIRST]) == {0}
    assert memo.num_skipped == 3


def test_what_is_kept_of_one_sequence_keeps_nothing_of_its_pack() -> None:
    firsts, rests = (torch.ones(40, 8).split([4, 36]) for _ in range(2))
    memo = StepMemo(SkipRule(0.1, 2))
    memo.keep(firsts[0], rests[0])
    assert memo._first is not None
    assert [part.untyped_storage().nbytes() for part in (memo._first, memo.rest)] == [4 * 8 * 4] * 2
    memo.keep(_FIRST, _REST)
    assert memo.rest is _REST, "what is whole is not copied"


@pytest.mark.parametrize(
    ("num_steps", "skipping"), [(4, []), (7, []), (8, range(2, 7)), (20, range(4, 18)), (40, range(8, 36))]
)
def test_both_ends_of_a_run_are_whole(num_steps: int, skipping: range) -> None:
    assert [step for step in range(num_steps) if may_skip_at(step, num_steps)] == list(skipping)


def test_a_higher_level_skips_more_freely() -> None:
    regular, high = RULES["regular"], RULES["high"]
    assert RULES["none"] is None
    assert regular
    assert high
    assert regular.max_change < high.max_change
    assert regular.max_in_a_row < high.max_in_a_row
