"""A LoRA file to an `Adapter` for one transformer. Knows no requests; which tensors mean what is `overpaint.lora`'s."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from overpaint.lora.factors import Factor, Linears, find_factors
from overpaint.lora.header import read_header
from overpaint.model.lora import Adapter, LowRank


def linears_of(module: nn.Module) -> dict[str, tuple[int, int]]:
    """Outputs and inputs of every linear layer below a module, by name; quantised ones too."""
    return {
        name: (layer.out_features, layer.in_features)
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear)
    }


def load_adapter(path: Path, linears: Linears, dtype: torch.dtype) -> Adapter:
    """Read a LoRA file into host memory.

    Args:
        path: a safetensors file.
        linears: of the transformer it is for.
        dtype: what the transformer computes in.

    Raises:
        ValueError: it does not fit, or is no LoRA; a clause that names the tensor.
        OSError: it cannot be read.
    """
    factors = find_factors(read_header(path), linears)
    try:
        with safe_open(str(path), "pt") as file:
            return Adapter({factor.layer: _change(factor, file.get_tensor, dtype) for factor in factors})
    except SafetensorError as exc:
        raise ValueError(f"cannot be read: {exc}") from exc


def _change(factor: Factor, read: Callable[[str], Tensor], dtype: torch.dtype) -> LowRank:
    """The two matrices, the strength in the second: multiplied in fp32, rounded once."""
    down, up = read(factor.down), read(factor.up)[slice(*factor.rows)]
    strength = factor.strength if factor.alpha is None else read(factor.alpha).item() / len(down)
    change = LowRank(down.to(dtype).contiguous(), (up.float() * strength).to(dtype).contiguous())
    _check(factor.down, down, change.down)
    _check(factor.up, up, change.up)
    return change


def _check(name: str, stored: Tensor, used: Tensor) -> None:
    """See that a tensor holds numbers: one infinity, as training in half precision leaves them, is a black picture.

    Raises:
        ValueError: it does not; a clause.
    """
    if not stored.is_floating_point():
        raise ValueError(f"has a tensor {name!r} of {stored.dtype}; only floating point is taken")
    if not used.isfinite().all():
        raise ValueError(f"has a tensor {name!r} with values that are no finite numbers in {used.dtype}")
