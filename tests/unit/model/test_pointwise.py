"""What lies between products, against the formulas written out in fp64."""

import pytest
import torch
from torch import Tensor

from overpaint.model.pointwise import activate, add_gated, norm_rotate, scale_norm
from tests.reference.measures import max_abs

_FP32_ROUNDING = 2e-6  # of values around one, a few operations deep


def _draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(8,), (5, 8)], ids=["shared", "each token its own"])
def test_scale_norm(shape: tuple[int, ...]) -> None:
    x, factor = _draw(5, 8), _draw(*shape, seed=1)
    centred = x.double() - x.double().mean(-1, keepdim=True)
    expected = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() * factor
    assert max_abs(scale_norm(x, factor, 1e-6), expected) <= _FP32_ROUNDING


def _rotated(qk: Tensor, weight: Tensor, angles: Tensor) -> Tensor:
    qk = qk.double()
    normed = qk / (qk.square().mean(-1, keepdim=True) + 1e-6).sqrt() * weight[:, None].double()
    even, odd = normed[..., ::2], normed[..., 1::2]
    cos, sin = (turn(angles.double())[:, None, None] for turn in (torch.cos, torch.sin))
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_norm_rotate(dtype: torch.dtype) -> None:
    qkv = _draw(5, 3, 4, 8).to(dtype)
    before = qkv.clone()
    weight, angles = 1 + 0.3 * _draw(2, 8, seed=1), 3 * _draw(5, 4, seed=2)
    table = torch.polar(torch.ones_like(angles), angles)[:, None, None]
    expected = _rotated(qkv[:, :2], weight, angles)
    found = norm_rotate(qkv[:, :2], weight, table, 1e-6)
    assert found.dtype == dtype
    assert found.is_contiguous()
    assert torch.equal(qkv, before), "the projection's output was written to"
    # Rounded once: to the nearest value of the dtype, of numbers below eight.
    assert max_abs(found.double(), expected) <= (2**-6 if dtype == torch.bfloat16 else _FP32_ROUNDING)


def test_activate_takes_the_gate_first() -> None:
    gate_up = _draw(5, 16)
    gate, up = gate_up.double().chunk(2, -1)
    assert max_abs(activate(gate_up), gate * gate.sigmoid() * up) <= _FP32_ROUNDING


def test_add_gated_leaves_what_it_is_given() -> None:
    hidden, gate, added = (_draw(5, 8, seed=seed) for seed in range(3))
    before = hidden.clone()
    assert max_abs(add_gated(hidden, gate, added), hidden + gate * added) <= _FP32_ROUNDING
    assert torch.equal(hidden, before)


def test_half_precision_stays_within_its_range() -> None:
    large = torch.full((1, 8), 60000.0, dtype=torch.float16)
    assert add_gated(large, torch.ones_like(large), large).isfinite().all()
