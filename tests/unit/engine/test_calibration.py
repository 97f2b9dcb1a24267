"""What the engine believes of its device, on a device made of numbers: a clock that every step moves on."""

from typing import Any, cast

import pytest
import torch

from overpaint.engine import calibration
from overpaint.engine.calibration import _tick_tokens, _time_packs
from overpaint.model.inputs import StepInput
from overpaint.model.prefix_cache import PrefixCache
from overpaint.model.transformer import PackedTransformer

_GRID = (8, 8)
_STALL_S = 0.1


class Device:
    """A step takes 1 ms and `per_token_s` for each token; the first `stalled` steps of two pictures a tenth more."""

    def __init__(self, per_token_s: float, stalled: int) -> None:
        self.per_token_s, self.stalled = per_token_s, stalled
        self.device, self.context_channels = torch.device("cpu"), 4
        self.now_s = 0.0

    def new_cache(self, layout: Any) -> Any:
        return PrefixCache(layout, [])

    def prefill(self, inputs: list[Any]) -> None:
        assert len(inputs) == 1

    def step(self, inputs: list[StepInput]) -> None:
        self.now_s += 1e-3 + self.per_token_s * sum(item.num_tokens for item in inputs)
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


@pytest.mark.parametrize(("most_tokens", "tick_tokens"), [(300, 256), (128, 128), (10, 64)])
def test_packs_that_may_not_fit_are_not_tried(
    most_tokens: int, tick_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measure(Device(1e-6, 0), monkeypatch, most_tokens) == tick_tokens


def test_a_device_that_one_picture_fills_packs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure(Device(1e-3, 0), monkeypatch) == 64
