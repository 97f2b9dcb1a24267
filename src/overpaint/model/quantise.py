"""Weights in fewer bits, through torchao. Knows tensors and devices, and nothing of the modules that hold them.

`fp8` and `int8` have one scale for each row, `int4` one for each group of 64 in a row. Where a device multiplies in
float8 by itself (compute capability 8.9 on), the activations of `fp8` are rounded, too, row by row; everywhere else,
and for the other two, weights are brought back to the activations' dtype for each product, which saves memory and no
time.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from overpaint.core import SettingError

_GROUP = 64
_FLOAT8_CAPABILITY = (8, 9)
_INT4_CAPABILITY = (8, 0)


def weight_quantiser(weights: str, device: torch.device, dtype: torch.dtype) -> Callable[[Tensor], Tensor] | None:
    """What turns a matrix `(out, in)` into one that takes fewer bytes and multiplies like it; None for ``"bf16"``.

    Args:
        weights: one of `core.config.WEIGHTS`.
        device: where the matrices are used.
        dtype: of what they are multiplied with.

    Raises:
        ConfigError: the device cannot do it, or torchao is not installed.
    """
    if weights == "bf16":
        return None
    try:
        from torchao.quantization import quantize_  # large, and only of use here
    except ImportError as error:
        raise SettingError("weights", f"{weights!r} needs torchao; install overpaint[quantised]") from error
    config = _torchao_config(weights, device, dtype)

    def quantise(weight: Tensor) -> Tensor:
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
        linear.weight = nn.Parameter(weight, requires_grad=False)
        quantize_(linear, config)
        return linear.weight.detach()

    return quantise


def _torchao_config(weights: str, device: torch.device, dtype: torch.dtype) -> Any:
    from torchao import quantization as ao

    if weights == "int8":
        return ao.Int8WeightOnlyConfig(set_inductor_config=False)
    if weights == "int4":
        return _int4_config(device, dtype)
    if _has(device, dtype, _FLOAT8_CAPABILITY):
        return ao.Float8DynamicActivationFloat8WeightConfig(granularity=ao.PerRow(), set_inductor_config=False)
    return ao.Float8WeightOnlyConfig(granularity=ao.PerRow(), set_inductor_config=False)


def _int4_config(device: torch.device, dtype: torch.dtype) -> Any:
    """The packing that the device's kernel reads; torchao's usual one needs a library of its own."""
    if _has(device, dtype, _INT4_CAPABILITY):
        from torchao.quantization import Int4WeightOnlyConfig
        from torchao.quantization.quantize_.workflows.int4.int4_packing_format import Int4PackingFormat

        packing = Int4PackingFormat.TILE_PACKED_TO_4D
        return Int4WeightOnlyConfig(group_size=_GROUP, int4_packing_format=packing, set_inductor_config=False)
    if device.type == "cpu":
        from torchao.prototype.quantization.int4.inference_workflow import PrototypeInt4WeightOnlyConfig

        return PrototypeInt4WeightOnlyConfig(group_size=_GROUP, set_inductor_config=False)
    needs = "a CUDA device of compute capability 8.0 (Ampere) or newer and bfloat16, or a CPU"
    raise SettingError("weights", f"'int4' needs {needs}; this is {device} in {dtype}. Take int8 or fp8")


def _has(device: torch.device, dtype: torch.dtype, capability: tuple[int, int]) -> bool:
    """Whether a device is new enough for kernels that take bfloat16."""
    if device.type != "cuda" or dtype != torch.bfloat16:
        return False
    return torch.cuda.get_device_capability(device) >= capability
