"""A minute of the soak that `benchmarks.offline.soak` runs for half an hour."""

import pytest

from benchmarks.offline.soak import be_quiet, soak
from overpaint.core.config import ModelConfig
from overpaint.model.checkpoint import load_checkpoint


@pytest.mark.slow
def test_a_minute_of_random_traffic_cancels_and_failures() -> None:
    be_quiet()
    found = soak(load_checkpoint(ModelConfig(device="cpu")), seconds=60)
    assert found.problems == []
    assert found.ends["finished"] > 20
    assert found.ends["CancelledTaskError"] > 0
    assert found.ends["BackendError"] + found.ends["CapacityError"] > 0
