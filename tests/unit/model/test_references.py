"""Pictures and words are made ready as the pipeline makes them ready."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.image_processor import VaeImageProcessor

from overpaint.core.picture import Picture, PictureMode
from overpaint.core.sizes import fit_area
from overpaint.model.prompt import ask_for_transparency, render_prompt
from overpaint.model.references import prepare_reference
from tests.reference.pictures import make_picture
from tests.reference.pipeline import as_image, reference_pipeline


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("sides", [(100, 60), (33, 90), (64, 64), (500, 20), (3, 3)], ids=str)
def test_a_reference_is_resized_and_scaled_as_diffusers_does(mode: PictureMode, sides: tuple[int, int]) -> None:
    picture = make_picture(*sides, mode)
    ours = prepare_reference(picture, 96 * 96)
    size = fit_area(96 * 96, picture.aspect)
    processor: Any = VaeImageProcessor(vae_scale_factor=16, vae_latent_channels=16)
    image = as_image(picture).convert("RGBA")
    assert ours.rgba.tobytes() == processor.resize(image, width=size.width, height=size.height).tobytes()
    theirs = processor.preprocess(image, width=size.width, height=size.height)
    torch.testing.assert_close(ours.for_vae()[:, :, 0], theirs, atol=1e-6, rtol=0)


def test_a_reference_of_one_pixel_still_fills_a_slot() -> None:
    reference = prepare_reference(Picture(1, 1, "RGB", b"\x10\x20\x30"), 32 * 32)
    assert reference.grid == (2, 2)
    assert np.unique(np.array(reference.rgba).reshape(-1, 4), axis=0).tolist() == [[16, 32, 48, 255]]


@pytest.mark.parametrize("num_pictures", [0, 1, 2, 10])
@pytest.mark.parametrize("words", ["a cat", "", "把它变成绿色", "{} {0} %s"])
def test_the_prompt_is_the_pipelines_template(folder: Path, num_pictures: int, words: str) -> None:
    pipe: Any = reference_pipeline(folder)
    seen: list[str] = []

    def stop(text: list[str], **_: Any) -> None:
        seen.extend(text)
        raise InterruptedError

    pipe.register_modules(processor=_Listener(pipe.processor, stop))
    images = [as_image(make_picture(32, 32))] * num_pictures or None
    with pytest.raises(InterruptedError):
        pipe.encode_prompt(words, image=images, device="cpu")
    assert render_prompt(words, num_pictures) == seen[0]


class _Listener:
    """A processor that hands over what it is called with."""

    def __init__(self, processor: Any, call: Any) -> None:
        self.tokenizer = processor.tokenizer
        self._call = call

    def __call__(self, **kwargs: Any) -> None:
        self._call(**kwargs)


def test_asking_for_transparency_wraps_the_words_without_a_doubled_full_stop() -> None:
    assert ask_for_transparency("A cat.") == (
        "This is an RGBA image with transparency. A cat. The image has alpha channel and the background is transparent."
    )
