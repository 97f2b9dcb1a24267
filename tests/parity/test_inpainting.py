"""A mask: white is repainted, black stays the source's own bytes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from overpaint.core.picture import Picture
from overpaint.core.request import GenerationRequest
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.vae import PictureCodec
from tests.parity.ours import Bench, paint_alone
from tests.reference.pictures import make_picture


def _mask(width: int, height: int, columns: slice) -> tuple[Picture, np.ndarray]:
    white = np.zeros((height, width), np.uint8)
    white[:, columns] = 255
    return Picture(width, height, "L", white.tobytes()), white


def _samples(picture: Picture) -> np.ndarray:
    return np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, -1)


@pytest.mark.parametrize(("width", "height"), [(96, 96), (131, 77)])
def test_outside_the_mask_every_byte_is_the_sources_and_inside_it_is_painted(
    plain_checkpoint: Checkpoint, width: int, height: int
) -> None:
    source = make_picture(width, height, seed=4)
    mask, white = _mask(width, height, slice(width // 2, None))
    request = GenerationRequest("make it green", pictures=(source,), mask=mask, seed=1, steps=4)
    (painted,) = paint_alone(plain_checkpoint, request).pixels
    assert painted.shape == (height, width, 4)
    assert np.array_equal(painted[white == 0][:, :3], _samples(source)[white == 0])
    changed = (painted[white == 255][:, :3] != _samples(source)[white == 255]).any(axis=1)
    assert changed.mean() > 0.9


def test_a_source_is_read_once_for_all_pictures_of_a_request(
    plain_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_picture(96, 96, seed=4)
    mask, _ = _mask(96, 96, slice(48, None))
    request = GenerationRequest("make it green", pictures=(source,), mask=mask, seed=1, steps=4)
    alone = [paint_alone(plain_checkpoint, replace(request, seed=seed)) for seed in (1, 2, 3)]
    encoded: list[torch.Size] = []
    encode = PictureCodec.encode

    def noted(self: PictureCodec, samples: torch.Tensor) -> torch.Tensor:
        encoded.append(samples.shape)
        return encode(self, samples)

    monkeypatch.setattr(PictureCodec, "encode", noted)
    bench = Bench(plain_checkpoint)
    bench.submit("three", replace(request, num_images=3))
    assert len(encoded) == 1
    bench.run()
    for latents, one in zip(bench.painted("three", 3).latents, alone, strict=True):
        assert (latents - one.latents[0]).abs().max() < 1e-3


def test_latents_outside_the_mask_end_as_the_sources(plain_checkpoint: Checkpoint) -> None:
    """Without holding them, the border between both halves would be painted against something else than the source."""
    source = make_picture(96, 96, seed=4)
    nothing, _ = _mask(96, 96, slice(0, 0))
    whole, _ = _mask(96, 96, slice(None))
    held = paint_alone(plain_checkpoint, GenerationRequest("x", pictures=(source,), mask=nothing, seed=1, steps=4))
    free = paint_alone(plain_checkpoint, GenerationRequest("x", pictures=(source,), mask=whole, seed=1, steps=4))
    plain = paint_alone(plain_checkpoint, GenerationRequest("x", pictures=(source,), seed=1, steps=4))
    assert (free.latents[0] - plain.latents[0]).abs().max() == 0
    other_seed = GenerationRequest("y", pictures=(source,), mask=nothing, seed=2, steps=4)
    assert (held.latents[0] - paint_alone(plain_checkpoint, other_seed).latents[0]).abs().max() == 0
    assert (held.latents[0] - plain.latents[0]).abs().max() > 0.1
