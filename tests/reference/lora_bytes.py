"""The bytes of a LoRA file without torch, for tests of what only looks at headers."""

import json
import random
from collections.abc import Mapping


def lora_bytes(layers: Mapping[str, tuple[int, int]], *, seed: int = 0, rank: int = 2) -> bytes:
    """A safetensors file in the names of diffusers.

    Args:
        layers: outputs and inputs by name.
        seed: of the numbers.
        rank: of every factor.
    """
    header: dict[str, object] = {}
    offset = 0
    for layer, (outputs, inputs) in layers.items():
        for name, shape in (("lora_A", (rank, inputs)), ("lora_B", (outputs, rank))):
            end = offset + shape[0] * shape[1] * 2
            header[f"transformer.{layer}.{name}.weight"] = {
                "dtype": "F16",
                "shape": shape,
                "data_offsets": [offset, end],
            }
            offset = end
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + random.Random(seed).randbytes(offset)
