"""What is in a LoRA's tensors is looked at before anybody paints with it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from overpaint.model.adapter_file import load_adapter

LINEARS = {"to_q": (8, 6)}
HUGE = torch.finfo(torch.float16).max


def _written(path: Path, down: torch.Tensor, up: torch.Tensor, alpha: float = 2.0) -> Path:
    tensors = {"to_q.lora_down.weight": down, "to_q.lora_up.weight": up, "to_q.alpha": torch.tensor(alpha)}
    save_file(tensors, path / "style.safetensors")
    return path / "style.safetensors"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("half", ["down", "up"])
def test_a_tensor_that_is_not_finite_is_named(tmp_path: Path, half: str, bad: float) -> None:
    """It was taken, and every picture was black."""
    down, up = torch.ones(2, 6), torch.ones(8, 2)
    {"down": down, "up": up}[half][1, 1] = bad
    with pytest.raises(ValueError, match=rf"'to_q\.lora_{half}\.weight' with values that are no finite numbers"):
        load_adapter(_written(tmp_path, down, up), LINEARS, torch.float32)


def test_a_strength_that_a_dtype_cannot_hold_is_named(tmp_path: Path) -> None:
    path = _written(tmp_path, torch.ones(2, 6), torch.full((8, 2), HUGE), alpha=4.0)
    assert load_adapter(path, LINEARS, torch.bfloat16).changes["to_q"].up.isfinite().all()
    with pytest.raises(ValueError, match=r"no finite numbers in torch\.float16"):
        load_adapter(path, LINEARS, torch.float16)


def test_whole_numbers_are_refused(tmp_path: Path) -> None:
    """Packed weights, whose scales are elsewhere."""
    path = _written(tmp_path, torch.ones(2, 6, dtype=torch.uint8), torch.ones(8, 2))
    with pytest.raises(ValueError, match=r"'to_q\.lora_down\.weight' of torch\.uint8; only floating point"):
        load_adapter(path, LINEARS, torch.float32)


@pytest.mark.parametrize("stored", [torch.float8_e4m3fn, torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_floating_point_of_any_kind_is_taken(tmp_path: Path, stored: torch.dtype) -> None:
    change = load_adapter(
        _written(tmp_path, torch.ones(2, 6).to(stored), torch.ones(8, 2).to(stored), alpha=1.0), LINEARS, torch.bfloat16
    ).changes["to_q"]
    assert change.down.dtype == change.up.dtype == torch.bfloat16
    assert torch.equal(change.up, torch.full((8, 2), 0.5, dtype=torch.bfloat16))
