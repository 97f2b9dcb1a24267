"""What is said of a checkpoint before it is loaded is what it takes once it is."""

import json
from pathlib import Path

import pytest
import torch

from overpaint.core.config import WEIGHTS, ModelConfig
from overpaint.core.errors import CheckpointError
from overpaint.model.blocks import prepare_blocks
from overpaint.model.checkpoint import load_checkpoint
from overpaint.model.conditioner import Conditioner
from overpaint.model.footprint import Footprint
from overpaint.model.hosting import HostedGroup, visiting_bytes
from overpaint.model.layout import layout_prefix
from overpaint.model.placement import Placement
from overpaint.model.token_bytes import TokenBytes
from overpaint.model.transformer import PackedTransformer


@pytest.mark.parametrize("in_int8", [False, True], ids=["as they are", "in 8 bits"])
def test_a_token_of_a_prefix_takes_what_was_said(folder: Path, *, in_int8: bool) -> None:
    checkpoint = load_checkpoint(ModelConfig(str(folder), device="cpu", dtype="bfloat16"))
    cache = PackedTransformer(checkpoint.transformer, keeps_int8=in_int8).new_cache(layout_prefix([False] * 10, []))
    assert 10 * TokenBytes.of(Footprint.of_folder(folder).params, 2, in_int8=in_int8).kept == cache.num_bytes


@pytest.mark.parametrize("weights", WEIGHTS)
def test_blocks_take_what_was_said(weights: str) -> None:
    config = ModelConfig(None, device="cpu", dtype="bfloat16", weights=weights)
    checkpoint = load_checkpoint(config, Placement(num_streamed=1))
    footprint = Footprint.of_folder(Path(checkpoint.info.path))
    prepare_blocks(checkpoint.transformer, checkpoint.blocks)
    group = HostedGroup(checkpoint.transformer.transformer_blocks[0].parameters())
    # Of a matrix with 256 columns, scales of rows are one or two percent; in a real one they are a thousandth.
    assert footprint.bytes_of_block(weights, 2) == pytest.approx(group.num_bytes, rel=0.03)
    assert len(checkpoint.transformer.transformer_blocks) == footprint.num_blocks


def test_everything_else_takes_what_was_said(folder: Path) -> None:
    checkpoint = load_checkpoint(ModelConfig(str(folder), device="cpu", dtype="float32"))
    footprint = Footprint.of_folder(folder)
    parts = (checkpoint.transformer, checkpoint.text_encoder, checkpoint.vae)
    assert footprint.bytes_resident("bf16", 4) == sum(p.nbytes for part in parts for p in part.parameters())
    conditioner = Conditioner(checkpoint.text_encoder, checkpoint.tokenizer, checkpoint.image_processor)
    assert footprint.encoder_kept_per_token * 4 == conditioner.bytes_per_token


def test_a_visit_takes_what_was_said(folder: Path) -> None:
    checkpoint = load_checkpoint(ModelConfig(str(folder), device="cpu", dtype="float32"), Placement(is_offloaded=True))
    footprint = Footprint.of_folder(folder)
    visitors: list[torch.nn.Module] = [checkpoint.text_encoder, checkpoint.vae]
    # Buffers (rotary tables) are in no file.
    assert footprint.bytes_visiting(4) == pytest.approx(visiting_bytes(visitors), rel=0.01)
    assert visiting_bytes([checkpoint.text_encoder]) < sum(p.nbytes for p in checkpoint.text_encoder.parameters())


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("transformer", "text_encoder", "vae"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({}))
    with pytest.raises(CheckpointError, match=r"holds no \.safetensors"):
        Footprint.of_folder(tmp_path)
    with pytest.raises(CheckpointError, match="does not say 'num_layers'"):
        Footprint.of({}, {"transformer": {}, "text_encoder": {}}, {})
