"""Weights that come from the host paint the same, to the bit, as weights that stay; only bytes move."""

from pathlib import Path

import pytest
import torch

from overpaint.core.config import ModelConfig
from overpaint.core.request import GenerationRequest
from overpaint.model.blocks import StreamedBlocks
from overpaint.model.checkpoint import load_checkpoint
from overpaint.model.placement import Placement
from tests.parity.ours import Bench
from tests.reference.pictures import make_picture

_APPLE, _DUCK = make_picture(90, 70, seed=1), make_picture(60, 80, seed=2)
_REQUESTS = {
    "words": GenerationRequest("a red apple", seed=3, steps=3),
    "edit": GenerationRequest("make it blue", seed=4, steps=4, pictures=(_APPLE,)),
    "guided": GenerationRequest(
        "both", seed=5, steps=3, pictures=(_APPLE, _DUCK), negative_prompt="ugly", true_cfg_scale=3
    ),
    "fast": GenerationRequest("a green duck", seed=6, steps=6, acceleration="high"),
}


def _paint(folder: Path, placement: Placement) -> tuple[Bench, list[torch.Tensor]]:
    config = ModelConfig(str(folder), device="cpu", dtype="float32")
    bench = Bench(load_checkpoint(config, placement))
    for name, request in _REQUESTS.items():
        bench.submit(name, request)
    bench.run()
    return bench, [bench.painted(name).latents[0] for name in _REQUESTS]


@pytest.mark.parametrize("streamed", [0, 1, 2])
def test_offloaded_weights_paint_the_same_bits(plain_folder: Path, streamed: int) -> None:
    _, expected = _paint(plain_folder, Placement())
    bench, found = _paint(plain_folder, Placement(is_offloaded=True, num_streamed=streamed))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))
    blocks = bench.painter._transformer._blocks
    if streamed:
        assert isinstance(blocks, StreamedBlocks)
        assert blocks.stream.num_loads > 0
    checkpoint = bench.painter._checkpoint
    away = [*checkpoint.text_encoder.parameters(), *checkpoint.vae.parameters()]
    assert not any(tensor.untyped_storage().nbytes() for tensor in away)
