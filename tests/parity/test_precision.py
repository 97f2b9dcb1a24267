"""In bfloat16 and float16 both sides round differently: each is held against fp32, never one against the other."""

from pathlib import Path

import pytest
import torch

from overpaint.core.config import ModelConfig
from overpaint.core.request import GenerationRequest
from overpaint.model.checkpoint import load_checkpoint
from tests.parity.ours import paint_alone
from tests.reference.cases import RESOLUTION
from tests.reference.pictures import make_picture
from tests.reference.pipeline import reference_pipeline, run_reference

_REQUESTS = [
    GenerationRequest("a red apple", seed=seed, steps=4, pictures=(make_picture(90, 70, seed=seed),) * (seed % 2))
    for seed in range(4)
]


def _error(latents: list[torch.Tensor], truth: list[torch.Tensor]) -> float:
    """Root mean square of the difference, over all requests."""
    return float(torch.cat([(a - b).flatten() for a, b in zip(latents, truth, strict=True)]).square().mean().sqrt())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_is_no_farther_from_fp32_than_diffusers_is(plain_folder: Path, dtype: str) -> None:
    exact, low = (reference_pipeline(plain_folder, dtype=getattr(torch, name)) for name in ("float32", dtype))
    truth, theirs = (
        [run_reference(pipe, request, output_resolution=RESOLUTION).latents[0] for request in _REQUESTS]
        for pipe in (exact, low)
    )
    checkpoint = load_checkpoint(ModelConfig(str(plain_folder), device="cpu", dtype=dtype))
    ours = [paint_alone(checkpoint, request).latents[0] for request in _REQUESTS]
    assert all(torch.isfinite(latents).all() for latents in ours)
    # Rounding is luck to a degree: four pictures of both sides scatter by some ten percent.
    assert _error(ours, truth) <= 1.25 * _error(theirs, truth)
