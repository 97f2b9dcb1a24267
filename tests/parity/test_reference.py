"""The reference itself: a comparison with something that reacts to nothing proves nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextRMSNorm

from overpaint.core.picture import Picture
from overpaint.core.request import GenerationRequest
from tests.reference.cases import CASES, RESOLUTION, Case
from tests.reference.measures import max_abs
from tests.reference.pictures import make_picture
from tests.reference.pipeline import Reference, run_reference

# A hundred times the parity tolerance: whatever moves the latents this far cannot hide inside it.
VISIBLE = 0.1

_EDIT = GenerationRequest(
    "put <image1> beside <image2>",
    negative_prompt="blurry",
    true_cfg_scale=3.0,
    pictures=(make_picture(100, 60, "RGBA", seed=1), make_picture(60, 90, seed=2)),
    seed=3,
    steps=4,
)


def _latents(pipe: Any, request: GenerationRequest) -> torch.Tensor:
    return run_reference(pipe, request, output_resolution=RESOLUTION).latents[0]


def _with_half_alpha(picture: Picture) -> Picture:
    samples = np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, 4).copy()
    samples[..., 3] //= 2
    return replace(picture, data=samples.tobytes())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(_EDIT, prompt="put <image1> above <image2>"), id="one_word"),
        pytest.param(replace(_EDIT, negative_prompt="blurred"), id="negative_prompt"),
        pytest.param(replace(_EDIT, true_cfg_scale=3.5), id="guidance_scale"),
        pytest.param(replace(_EDIT, seed=4), id="seed"),
        pytest.param(replace(_EDIT, pictures=_EDIT.pictures[1:]), id="one_picture_less"),
        pytest.param(
            replace(_EDIT, pictures=(_with_half_alpha(_EDIT.pictures[0]), _EDIT.pictures[1])), id="alpha_of_a_picture"
        ),
        pytest.param(
            replace(_EDIT, pictures=(make_picture(100, 60, "RGBA", seed=9), _EDIT.pictures[1])), id="another_picture"
        ),
    ],
)
def test_the_reference_reacts_to_a_change_of(plain_pipeline: Any, other: GenerationRequest) -> None:
    size = replace(_EDIT, size=1.0), replace(other, size=1.0)
    assert max_abs(_latents(plain_pipeline, size[0]), _latents(plain_pipeline, size[1])) > VISIBLE


def test_the_reference_differs_when_the_condition_is_taken_after_the_final_norm(
    plain_pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _latents(plain_pipeline, _EDIT)
    monkeypatch.setattr(Qwen3VLTextRMSNorm, "register_forward_hook", _no_hook)
    assert max_abs(before, _latents(plain_pipeline, _EDIT)) > VISIBLE


class _Handle:
    def remove(self) -> None:
        """Nothing was registered."""


def _no_hook(_norm: object, _hook: object) -> _Handle:
    return _Handle()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_reference_paints_pixels_that_are_neither_flat_nor_clipped(
    case: Case, paint_reference: Callable[[Case], Reference]
) -> None:
    for pixels in paint_reference(case).pixels:
        assert pixels.std() > 20
        assert np.isin(pixels, (0, 255)).mean() < 0.2


def test_two_images_of_one_call_are_the_same_as_one_call_each(plain_pipeline: Any) -> None:
    both = run_reference(plain_pipeline, replace(_EDIT, num_images=2), output_resolution=RESOLUTION).latents
    alone = [_latents(plain_pipeline, replace(_EDIT, seed=_EDIT.seed + i)) for i in range(2)]
    # Rounding of other matrix shapes only; tighter than what the parity tests allow ours.
    assert max(map(max_abs, both, alone)) < 5e-4
