"""Where prefix tokens stand, against diffusers' own walk over the same sequence."""

import pytest
import torch
from diffusers.models.transformers.transformer_qwenimage21 import QwenImage21Rope
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.model.layout import Grid, layout_prefix
from overpaint.model.rope import RopeSpec, prefix_positions, rope_table, target_positions

_SPEC = RopeSpec((8, 12, 12))
_grids = st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda halves: (2 * halves[0], 2 * halves[1]))


def _is_slot(texts: list[int], grids: list[Grid]) -> list[bool]:
    """Text runs with a picture's slots after each but the last."""
    slots: list[bool] = []
    for index, length in enumerate(texts):
        slots += [False] * length
        if index < len(grids):
            slots += [True] * (grids[index][0] * grids[index][1] // 4)
    return slots


def test_text_advances_and_a_picture_freezes_the_position_and_pushes_it_by_its_longer_side() -> None:
    layout = layout_prefix(_is_slot([3, 2], [(2, 6)]), [(2, 6)])
    assert [(s.start, s.end, s.position, s.grid) for s in layout.segments] == [
        (0, 3, 0, None),
        (3, 15, 3, (2, 6)),
        (15, 17, 9, None),
    ]
    assert (layout.num_tokens, layout.target_position) == (17, 11)


def test_pictures_without_words_between_them_stay_apart() -> None:
    layout = layout_prefix([True] * 4, [(2, 2), (2, 6)])
    assert [segment.grid for segment in layout.segments] == [(2, 2), (2, 6)]
    assert layout.target_position == 2 + 6


def test_a_prefix_of_words_only_has_one_segment() -> None:
    layout = layout_prefix([False] * 5, [])
    assert layout.num_tokens == layout.target_position == 5
    assert layout.grids == ()


@pytest.mark.parametrize(
    ("slots", "grids"),
    [
        pytest.param([True] * 2, [(2, 2)], id="more_slots_than_the_grid"),
        pytest.param([True] * 2, [(4, 4)], id="fewer_slots_than_the_grid"),
        pytest.param([False], [(2, 2)], id="no_slots"),
        pytest.param([True], [], id="no_grid"),
    ],
)
def test_slots_that_do_not_fit_the_pictures_are_refused(slots: list[bool], grids: list[Grid]) -> None:
    with pytest.raises(ValueError, match="slots"):
        layout_prefix(slots, grids)


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(st.integers(1, 9), min_size=1, max_size=4), data=st.data(), target=_grids)
def test_rotary_tables_are_those_of_diffusers(texts: list[int], data: st.DataObject, target: Grid) -> None:
    grids = data.draw(st.lists(_grids, min_size=len(texts) - 1, max_size=len(texts) - 1))
    layout = layout_prefix(_is_slot(texts, grids), grids)
    positions = torch.cat([prefix_positions(layout.segments), target_positions(layout.target_position, target)])
    ours = rope_table(positions, _SPEC, torch.device("cpu"))
    is_image = [segment.grid is not None for segment in layout.segments for _ in range(segment.num_tokens)]
    mask = torch.tensor(is_image + [True] * (target[0] * target[1]))
    shapes = [(1, *grid) for grid in [*grids, target]]
    theirs = QwenImage21Rope(10000, list(_SPEC.axes_dims))(shapes, mask, torch.device("cpu"))
    # Same formula in the same precision: equal to the last bit but for the order of a division.
    torch.testing.assert_close(ours.squeeze(), theirs.squeeze(), atol=1e-6, rtol=0)
