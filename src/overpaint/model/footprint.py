"""What a checkpoint takes, counted from its configs and the headers of its files before any weight is read.

Counts values, because the dtype they are loaded in is not that of the files. Torch-free.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from overpaint.core import CheckpointError
from overpaint.model.checkpoint_files import read_index, read_json, weighted
from overpaint.model.declared import INDEX, Declared
from overpaint.model.gguf_file import PackedTensor, gguf_tensors
from overpaint.model.hub import Listing
from overpaint.model.params import TransformerParams, encoder_kv_values
from overpaint.model.weight_files import tensor_shapes

Shapes = Mapping[str, tuple[int, ...]]
DESCRIPTIONS = (INDEX, "transformer/config.json", "text_encoder/config.json")
_BLOCKS = "transformer_blocks."
_LAYER = re.compile(r".*\b(?:layers|blocks)\.\d+\.")
_NOT_OF_SIZE: dict[str, Any] = {"axes_dims_rope": (), "eps": 0.0, "causal_condition": True}
_BITS = {"fp8": 8.0, "int8": 8.0, "int4": 4.5}
"""Bits of a quantised value, its share of a group's scale included; scales of rows do not count."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Values, unless it says bytes.

    Args:
        params: the transformer's shape.
        block_matrices: of one block's matrices, which can be quantised.
        block_rest: of one block's norms.
        ends: of the transformer outside its blocks.
        encoder: of all of it.
        encoder_visit: of what of it is on the device at a time when it lives on the host.
        vae: of all of it.
        encoder_kept_per_token: keys and values in the encoder.
        resolution: side of the square area that references are brought to.
        block_bytes: bytes of one block in a file that says how its weights are held (GGUF); None otherwise.
    """

    params: TransformerParams
    block_matrices: int
    block_rest: int
    ends: int
    encoder: int
    encoder_visit: int
    vae: int
    encoder_kept_per_token: int
    resolution: int
    block_bytes: int | None = None

    @classmethod
    def of_folder(cls, folder: Path, transformer: Path | None = None) -> "Footprint":
        """Of a checkpoint that is here.

        Args:
            folder: of the checkpoint.
            transformer: GGUF file that takes the place of its transformer's weights.

        Raises:
            CheckpointError: a file is missing or broken.
        """
        configs = {name: read_json(folder / name / "config.json") for name in ("transformer", "text_encoder")}
        shapes = {name: tensor_shapes(folder / name) for name in weighted(transformer)}
        return cls.of(read_index(folder), configs, shapes, transformer)

    @classmethod
    def of_listing(cls, listing: Listing, transformer: Path | None = None) -> "Footprint":
        """Of a checkpoint on the hub, of which `DESCRIPTIONS` and the headers of all components were read."""
        index, *configs = (listing.descriptions[path] for path in DESCRIPTIONS)
        return cls.of(
            index, dict(zip(("transformer", "text_encoder"), configs, strict=True)), listing.shapes, transformer
        )

    @classmethod
    def of(
        cls,
        index: Mapping[str, Any],
        configs: Mapping[str, Mapping[str, Any]],
        shapes: Mapping[str, Shapes],
        transformer: Path | None = None,
    ) -> "Footprint":
        """Of a checkpoint's descriptions and headers.

        Args:
            index: `model_index.json`.
            configs: `config.json` of transformer and text_encoder.
            shapes: of the tensors of transformer, text_encoder and vae, by name.
            transformer: GGUF file that takes the place of its transformer's weights.

        Raises:
            CheckpointError: a description does not say what decides about its size.
        """
        packed = gguf_tensors(transformer) if transformer else {}
        if packed:
            shapes = {**shapes, "transformer": {name: tensor.shape for name, tensor in packed.items()}}
        try:
            params = TransformerParams.from_config({**_NOT_OF_SIZE, **configs["transformer"]})
            encoder_kept = encoder_kv_values(configs["text_encoder"]["text_config"])
        except KeyError as error:
            raise CheckpointError("config.json", f"of transformer or text_encoder does not say {error}") from error
        blocks = {k: shape for k, shape in shapes["transformer"].items() if k.startswith(_BLOCKS)}
        matrices = {name: shape for name, shape in blocks.items() if len(shape) > 1}
        encoder = _count(shapes["text_encoder"])
        return cls(
            params=params,
            block_matrices=_count(matrices) // params.num_layers,
            block_rest=(_count(blocks) - _count(matrices)) // params.num_layers,
            ends=_count(shapes["transformer"]) - _count(blocks),
            encoder=encoder,
            encoder_visit=encoder - _count_away(shapes["text_encoder"]),
            vae=_count(shapes["vae"]),
            encoder_kept_per_token=encoder_kept,
            resolution=Declared.of(index).output_resolution,
            block_bytes=_bytes_in_blocks(packed) // params.num_layers if packed else None,
        )

    @property
    def num_blocks(self) -> int:
        """Of the transformer."""
        return self.params.num_layers

    def bytes_of_block(self, weights: str, itemsize: int) -> int:
        """Of one block of the transformer.

        Args:
            weights: one of `core.config.WEIGHTS`.
            itemsize: of the dtype.
        """
        if self.block_bytes is not None:
            return self.block_bytes
        bits = _BITS.get(weights, 8.0 * itemsize)
        return round(self.block_matrices * bits / 8) + self.block_rest * itemsize

    def bytes_resident(self, weights: str, itemsize: int) -> int:
        """Of everything."""
        blocks = self.num_blocks * self.bytes_of_block(weights, itemsize)
        return blocks + (self.ends + self.encoder + self.vae) * itemsize

    def bytes_visiting(self, itemsize: int) -> int:
        """Of the encoder or the VAE while it is on the device, when they live on the host."""
        return max(self.encoder_visit, self.vae) * itemsize


def _bytes_in_blocks(packed: Mapping[str, PackedTensor]) -> int:
    return sum(tensor.num_bytes for name, tensor in packed.items() if name.startswith(_BLOCKS))


def _count(shapes: Shapes) -> int:
    return sum(prod(shape) for shape in shapes.values())


def _count_away(shapes: Shapes) -> int:
    """Values not on the device while an encoder on the host reads: its language head, and all layers but two."""
    layers: dict[str, int] = {}
    head = 0
    for name, shape in shapes.items():
        if found := _LAYER.match(name):
            layers[found[0]] = layers.get(found[0], 0) + prod(shape)
        elif name.startswith("lm_head."):
            head += prod(shape)
    return head + sum(sorted(layers.values())[:-2])
