"""LoRA files as the field's tools write them, with lively random numbers."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file

from overpaint.core.request import AdapterFile
from overpaint.lora.factors import Linears
from overpaint.lora.folder import open_file

Style = Literal["diffusers", "default", "kohya", "comfy", "comfy_fused", "underscored", "lycoris"]
STYLES: tuple[Style, ...] = ("diffusers", "default", "kohya", "comfy", "comfy_fused", "underscored", "lycoris")
ALPHA = 6.0
RANK = 4

_NAMES: dict[Style, Callable[[str], tuple[str, str]]] = {
    "diffusers": lambda layer: (f"transformer.{layer}.lora_A.weight", f"transformer.{layer}.lora_B.weight"),
    "default": lambda layer: (f"{layer}.lora_A.default.weight", f"{layer}.lora_B.default.weight"),
    "kohya": lambda layer: (f"{layer}.lora_down.weight", f"{layer}.lora_up.weight"),
    "comfy": lambda layer: (f"diffusion_model.{layer}.lora_A.weight", f"diffusion_model.{layer}.lora_B.weight"),
    "comfy_fused": lambda layer: _NAMES["comfy"](layer),
    "underscored": lambda layer: _underscored("lora_unet_", layer),
    "lycoris": lambda layer: _underscored("lycoris_", layer),
}
_WITH_ALPHA: tuple[Style, ...] = ("kohya", "underscored", "lycoris")


def _underscored(prefix: str, layer: str) -> tuple[str, str]:
    name = prefix + layer.replace(".", "_")
    return f"{name}.lora_down.weight", f"{name}.lora_up.weight"


def write_lora(
    path: Path, linears: Linears, *, seed: int, style: Style = "diffusers", layers: Collection[str] | None = None
) -> Path:
    """Write a LoRA for the given linear layers; the same seed changes the same layers equally in every style.

    Args:
        path: where to.
        linears: outputs and inputs of the transformer's layers, by name.
        seed: of the numbers.
        style: whose names it has. Those of kohya and underscores say their strength in a tensor, which is divided out
            of the matrices.
        layers: ends of the names of those that it changes; None is all.
    """
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for layer, (outputs, inputs) in linears.items():
        down = torch.randn(RANK, inputs, generator=generator) / inputs**0.5
        up = torch.randn(outputs, RANK, generator=generator) * 0.15
        if layers is not None and not layer.endswith(tuple(layers)):
            continue
        down_name, up_name = _NAMES[style](layer)
        has_alpha = style in _WITH_ALPHA
        tensors |= {down_name: down, up_name: up * RANK / ALPHA if has_alpha else up}
        if has_alpha:
            tensors[down_name.replace("lora_down.weight", "alpha")] = torch.tensor(ALPHA)
    save_file(_fuse(tensors) if style == "comfy_fused" else tensors, path)
    return path


def _fuse(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """With ComfyUI's one layer in place of gate and up projection: of both ranks, each for its own outputs."""
    for gate in [name for name in tensors if name.endswith(".gate_layer.lora_A.weight")]:
        stem = gate.removesuffix("gate_layer.lora_A.weight")
        down, up = (
            [tensors.pop(f"{stem}{layer}.lora_{side}.weight") for layer in ("gate_layer", "proj")] for side in "AB"
        )
        tensors[f"{stem}gate_up.lora_A.weight"] = torch.cat(down)
        tensors[f"{stem}gate_up.lora_B.weight"] = torch.block_diag(*up)
    return tensors


def adapter(path: Path, scale: float = 1.0) -> AdapterFile:
    """A LoRA file as a request takes it."""
    return open_file(path, scale, "adapters")
