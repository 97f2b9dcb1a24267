"""A transformer's GGUF file before it is loaded: what of it is read, and what is told of the rest."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from diffusers.quantizers.gguf.utils import SUPPORTED_GGUF_QUANT_TYPES

from overpaint.core import CheckpointError
from overpaint.model.gguf_file import KINDS, gguf_tensors
from overpaint.settings import read_model_config


def _write(path: Path, kind: str) -> Path:
    """A file of one matrix of zeros, 2x256."""
    packed = gguf.GGMLQuantizationType[kind]
    per_block, block_bytes = gguf.GGML_QUANT_SIZES[packed]
    writer = gguf.GGUFWriter(path, "qwen_image")
    zeros = np.zeros((2, 256 // per_block * block_bytes), np.uint8)
    writer.add_tensor("transformer_blocks.0.attn.to_q.weight", zeros, raw_dtype=packed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_kinds_that_are_read_are_the_loaders() -> None:
    assert {kind.name for kind in SUPPORTED_GGUF_QUANT_TYPES} - {"BF16"} == set(KINDS)


@pytest.mark.parametrize("kind", ["Q4_K", "IQ4_XS"])
def test_a_file_in_such_a_kind_is_taken(tmp_path: Path, kind: str) -> None:
    [tensor] = gguf_tensors(_write(tmp_path / "it.gguf", kind)).values()
    assert tensor.shape == (2, 256)


@pytest.mark.parametrize("kind", ["IQ2_XXS", "Q8_K", "TQ1_0", "MXFP4"])
def test_a_file_in_another_kind_is_told_which_are_read(tmp_path: Path, kind: str) -> None:
    """The loader says of all of them that it is "unable to load weights"."""
    with pytest.raises(CheckpointError, match=rf"has transformer_blocks\S+ in {kind}; take a file in one of Q8_0, "):
        gguf_tensors(_write(tmp_path / "it.gguf", kind))


@pytest.mark.parametrize("left", [40, -10])
def test_a_file_that_is_cut_off_is_told_to_be(tmp_path: Path, left: int) -> None:
    path = _write(tmp_path / "it.gguf", "Q8_0")
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(CheckpointError, match=r"is cut off or damaged .* download it again"):
        gguf_tensors(path)


def test_a_file_at_home_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_model_config({"transformer": Path("~/it.gguf")}).transformer == tmp_path / "it.gguf"
    nobodys = Path("~nobody-of-this-name/it.gguf")
    assert read_model_config({"transformer": nobodys}).transformer == nobodys
