"""What the engine believes of its device, on a device made of numbers: a clock that every step moves on."""

from typing import Any, cast

import pytest
import torch

from overpaint.engine import calibration
from overpaint.engine.calibration import _costs, _tick_tokens, _time_packs
from overpaint.model.inputs import StepInput
from overpaint.model.prefix_cache import PrefixCache
from overpaint.model.transformer import PackedTransformer

_GRID = (8, 8)
_STALL_S = 0.1


class Device:
    """A step takes 1 ms and `per_token_s` for each token.

    The first `stalled` steps of two pictures take a tenth of a second more, and after so many steps all take twice as
    long.
    """

    def __init__(self, per_token_s: float, stalled: int = 0, slow_after: int | None = None) -> None:
        self.per_token_s, self.stalled, self.slow_after = per_token_s, stalled, slow_after
        self.steps = 0
        self.device, self.context_channels = torch.device("cpu"), 4
        self.now_s = 0.0

    def new_cache(self, layout: Any) -> Any:
        return PrefixCache(layout, [])

    def prefill(self, inputs: list[Any]) -> None:
        assert len(inputs) == 1

    def step(self, inputs: list[StepInput]) -> None:
        self.steps += 1
        seconds = 1e-3 + self.per_token_s * sum(item.num_tokens for item in inputs)
        self.now_s += 2 * seconds if self.slow_after is not None and self.steps > self.slow_after else seconds
        if len(inputs) == 2 and self.stalled:
            self.stalled -= 1
            self.now_s += _STALL_S


def measure(device: Device, monkeypatch: pytest.MonkeyPatch, most_tokens: int = 10_000) -> int:
    monkeypatch.setattr(calibration, "perf_counter", lambda: device.now_s)
    return _tick_tokens(_time_packs(cast("PackedTransformer", device), 4, _GRID, most_tokens))


@pytest.mark.parametrize("stalled", [0, 1, 3, 5])
def test_a_stall_while_it_is_measured_does_not_switch_packing_off(
    stalled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measure(Device(1e-5, stalled), monkeypatch) == 8 * 64


@pytest.mark.parametrize("slow_after", range(1, 30))
def test_a_machine_that_slows_down_while_it_is_measured_packs_as_before(
    slow_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measure(Device(1e-5, slow_after=slow_after), monkeypatch) == 8 * 64


@pytest.mark.parametrize(("most_tokens", "tick_tokens"), [(300, 256), (128, 128), (10, 64)])
def test_packs_that_may_not_fit_are_not_tried(
    most_tokens: int, tick_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measure(Device(1e-6), monkeypatch, most_tokens) == tick_tokens


def test_a_device_that_one_picture_fills_packs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure(Device(1e-3), monkeypatch) == 64


@pytest.mark.parametrize("last_s", [1e-3, 0.9e-3], ids=["as fast", "faster"])
def test_a_device_that_steps_any_number_of_tokens_as_fast_counts_in_units_of_what_it_does(last_s: float) -> None:
    costs = _costs([(64, 1e-3), (512, last_s)], [(32, 2e-3), (96, 2e-3)], [(16, 1e-3), (64, 1e-3)])
    assert costs.step.per_token == 1
    assert costs.prefix.of(96) == pytest.approx(2 * costs.step.fixed)
    assert 512 <= costs.decode.of(64) <= 20 * 512
