"""What a task holds survives its JSON."""

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overpaint.core.errors import BackendError
from overpaint.core.request import OutputSpec
from overpaint.core.result import Timings
from overpaint.core.sizes import Size
from overpaint.core.task import StoredAdapter, StoredFile, TaskFailure, TaskOutput, TaskSpec
from overpaint.store import codec

NUMBERS = st.integers(0, 2**40)
FILES = st.builds(StoredFile, st.text(), st.text(), NUMBERS, NUMBERS, NUMBERS)
SPECS = st.builds(
    TaskSpec,
    model=st.text(),
    prompt=st.text(),
    seed=NUMBERS,
    enhanced_prompt=st.none() | st.text(),
    negative_prompt=st.none() | st.text(),
    pictures=st.lists(FILES, max_size=3).map(tuple),
    mask=st.none() | FILES,
    size=st.none() | st.builds(Size, NUMBERS, NUMBERS) | st.floats(0.1, 10),
    num_images=st.integers(1, 6),
    steps=st.none() | st.integers(1, 200),
    true_cfg_scale=st.floats(1, 30),
    adapters=st.lists(
        st.builds(StoredAdapter, st.just("a"), st.just("0f"), st.floats(-4, 4), st.none() | st.just("inputs/0f")),
        max_size=2,
    ).map(tuple),
    output=st.sampled_from([OutputSpec(), OutputSpec(format="webp", quality=3, background="transparent")]),
)


def through_json(document: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(document))


@given(SPECS)
def test_a_spec_comes_back(spec: TaskSpec) -> None:
    assert codec.spec_from_json(through_json(codec.spec_to_json(spec))) == spec


def test_a_spec_has_no_field_that_is_not_stored() -> None:
    stored = codec.spec_to_json(TaskSpec(model="m", prompt="p", seed=1))
    assert set(stored) == {"v", *(field.name for field in fields(TaskSpec))}


@given(st.lists(st.builds(TaskOutput, FILES, NUMBERS, st.none() | st.booleans()), max_size=3).map(tuple))
def test_outputs_come_back(outputs: tuple[TaskOutput, ...]) -> None:
    assert codec.outputs_from_json(through_json(codec.outputs_to_json(outputs))) == outputs


def test_failures_and_timings_come_back() -> None:
    failure, timings = TaskFailure("backend", "gone"), Timings(1.5, 2.5, 3.5, 4.5, 5.5, 6.5)
    assert codec.failure_from_json(through_json(codec.failure_to_json(failure))) == failure
    assert codec.timings_from_json(through_json(codec.timings_to_json(timings))) == timings
    assert (codec.failure_from_json(None), codec.timings_from_json(None)) == (None, None)


@pytest.mark.parametrize("change", [{"v": 2}, {"v": None}, {"unheard_of": 1}, {"pictures": [{"no": "file"}]}])
def test_a_document_that_cannot_be_read_is_said(change: dict[str, Any]) -> None:
    document = {**codec.spec_to_json(TaskSpec(model="m", prompt="p", seed=1)), **change}
    with pytest.raises(BackendError, match="document"):
        codec.spec_from_json(document)
