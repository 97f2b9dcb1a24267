"""Which files of a folder are a component's weights, as their loaders would find them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from overpaint.core import CheckpointError
from overpaint.core.config import ModelConfig
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from overpaint.model.weight_files import find_weights
from tests.reference.checkpoints import write_checkpoint

ALONE = {
    "transformer": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A checkpoint with one file for each component."""
    return write_checkpoint(tmp_path / "whole")


def _load(folder: Path) -> Checkpoint:
    return load_checkpoint(ModelConfig(str(folder), device="cpu", dtype="float32"))


def _same_weights(one: Checkpoint, other: Checkpoint) -> bool:
    pairs = ((getattr(one, name).state_dict(), getattr(other, name).state_dict()) for name in ALONE)
    return all(torch.equal(mine[key], theirs[key]) for mine, theirs in pairs for key in mine)


def test_files_of_a_variant_are_read_like_those_without(whole: Path) -> None:
    plain = _load(whole)
    for component, name in ALONE.items():
        path = whole / component / name
        path.rename(path.with_name(name.replace(".safetensors", ".fp16.safetensors")))
    assert find_weights(whole / "vae").variant == "fp16"
    assert _same_weights(_load(whole), plain)


def test_shards_of_a_variant_are_read_by_their_index(whole: Path, folder: Path) -> None:
    for component in ("transformer", "text_encoder"):
        shutil.rmtree(whole / component)
        shutil.copytree(folder / component, whole / component)
        index = next((whole / component).glob("*.index.json"))
        weight_map = {
            key: name.replace("-", ".fp16-", 1) for key, name in json.loads(index.read_text())["weight_map"].items()
        }
        for name in set(weight_map.values()):
            (whole / component / name.replace(".fp16-", "-", 1)).rename(whole / component / name)
        index.unlink()
        index.with_name(index.name.replace(".json", ".fp16.json")).write_text(
            json.dumps({"metadata": {}, "weight_map": weight_map})
        )
    assert find_weights(whole / "transformer").variant == "fp16"
    assert _load(whole).info.num_parameters == _load(folder).info.num_parameters


def test_files_without_a_variant_go_before_those_with_one(whole: Path) -> None:
    for component, name in ALONE.items():
        (whole / component / name.replace(".safetensors", ".fp16.safetensors")).write_bytes(b"of no use")
    assert _load(whole).info.num_parameters["vae"] > 0


def test_of_several_variants_none_is_guessed(whole: Path) -> None:
    path = whole / "vae" / ALONE["vae"]
    for variant in ("fp16", "bf16"):
        shutil.copy(path, path.with_name(f"diffusion_pytorch_model.{variant}.safetensors"))
    path.unlink()
    with pytest.raises(CheckpointError, match="variants bf16, fp16; leave the files of one"):
        _load(whole)


def _pickled(path: Path) -> None:
    torch.save(load_file(path), path.with_name("diffusion_pytorch_model.bin"))
    path.unlink()


def _renamed(path: Path) -> None:
    path.rename(path.with_name("qwen.safetensors"))


def _renamed_beside_a_pickle(path: Path) -> None:
    torch.save(load_file(path), path.with_name("diffusion_pytorch_model.bin"))
    _renamed(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_pickled, r"holds diffusion_pytorch_model\.bin and no \.safetensors file"),
        (_renamed, r"holds qwen\.safetensors and no diffusion_pytorch_model\.safetensors"),
        # A loader that finds no safetensors by the name it knows goes on to pickles, which can run code.
        (_renamed_beside_a_pickle, r"holds qwen\.safetensors and no diffusion_pytorch_model\.safetensors"),
    ],
)
def test_weights_that_are_not_read_are_told_of(whole: Path, change: Callable[[Path], None], says: str) -> None:
    change(whole / "transformer" / ALONE["transformer"])
    with pytest.raises(CheckpointError, match=says):
        _load(whole)


@pytest.mark.parametrize("component", ALONE)
def test_a_tensor_of_another_shape_is_named_with_both(whole: Path, component: str) -> None:
    path = whole / component / ALONE[component]
    tensors: dict[str, Any] = load_file(path)
    name = max(tensors, key=lambda key: (tensors[key].ndim == 2, key))
    rows = len(tensors[name])
    save_file({**tensors, name: tensors[name][1:].contiguous()}, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError) as raised:
        _load(whole)
    problem = raised.value.problem
    assert name.rpartition(".")[0] in problem
    assert f"of {rows - 1}" in problem
    assert f"which its config.json makes {rows}" in problem
