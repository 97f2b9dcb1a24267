"""Writes a transformer as a GGUF file, with the library that the makers of such files use."""

from pathlib import Path

import gguf
import torch
from safetensors.torch import load_file

_COMFY_PREFIX = "model.diffusion_model."


def write_gguf(
    path: Path, transformer: Path, kind: str, *, for_comfy: bool = False, leave_out: str | None = None
) -> Path:
    """Write a transformer's matrices packed and the rest in float32.

    Args:
        path: of the file to write.
        transformer: folder with the weights.
        kind: name of a GGML type (``"Q8_0"``).
        for_comfy: names as ComfyUI has them, gate and up projections in one.
        leave_out: beginning of the names of tensors to leave out.
    """
    packed = gguf.GGMLQuantizationType[kind]
    found = [entry for file in transformer.glob("*.safetensors") for entry in load_file(file).items()]
    tensors = {name: tensor.float() for name, tensor in found if not (leave_out and name.startswith(leave_out))}
    writer = gguf.GGUFWriter(path, "qwen_image")
    for name, tensor in (_named_for_comfy(tensors) if for_comfy else tensors).items():
        if "transformer_blocks." in name and tensor.ndim == 2:
            writer.add_tensor(name, gguf.quants.quantize(tensor.numpy(), packed), raw_dtype=packed)
        else:
            writer.add_tensor(name, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _named_for_comfy(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    renamed = dict(tensors)
    for name in tensors:
        if name.endswith("img_mlp.gate_layer.weight"):
            gate, up = renamed.pop(name), renamed.pop(name.replace("gate_layer", "proj"))
            renamed[name.replace("gate_layer", "gate_up")] = torch.cat([gate, up])
    return {f"{_COMFY_PREFIX}{name}": tensor for name, tensor in renamed.items()}
