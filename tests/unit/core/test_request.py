from typing import Any

import pytest

from overpaint.core.errors import PictureError, RequestError
from overpaint.core.picture import Picture
from overpaint.core.request import MAX_SEED, AdapterRef, GenerationRequest, OutputSpec
from overpaint.core.sizes import Size

PICTURE = Picture(2, 1, "RGB", bytes(6))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("prompt", {"prompt": ""}),
        ("prompt", {"prompt": " \n\t"}),
        ("prompt", {"prompt": "a\0cat"}),
        ("negative_prompt", {"negative_prompt": "half \ud83d"}),
        ("images", {"pictures": (PICTURE,) * 11}),
        ("seed", {"seed": -2}),
        ("seed", {"seed": MAX_SEED + 1}),
        ("num_images", {"num_images": 0}),
        ("num_images", {"num_images": 7}),
        ("steps", {"steps": 0}),
        ("steps", {"steps": 201}),
        ("true_cfg_scale", {"true_cfg_scale": 0.5}),
        ("true_cfg_scale", {"true_cfg_scale": float("nan")}),
        ("true_cfg_scale", {"true_cfg_scale": 31.0}),
        ("size", {"size": Size(0, 64)}),
        ("size", {"size": float("inf")}),
        ("size", {"size": -1.0}),
        ("mask", {"mask": Picture(2, 1, "L", bytes(2))}),
        ("mask", {"pictures": (PICTURE,), "mask": Picture(1, 1, "L", bytes(1))}),
    ],
)
def test_a_field_out_of_its_range_is_refused_by_name(field: str, values: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"prompt": "a cat", **values}
    with pytest.raises(RequestError) as caught:
        GenerationRequest(**arguments)
    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("format", {"format": "bmp"}),
        ("quality", {"quality": 0}),
        ("quality", {"quality": 101}),
        ("background", {"background": "green"}),
        ("background", {"format": "jpeg", "background": "transparent"}),
    ],
)
def test_an_output_that_cannot_be_written_is_refused(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        OutputSpec(**values)
    assert caught.value.field == field


def test_the_bounds_themselves_are_allowed() -> None:
    request = GenerationRequest(
        "x", pictures=(PICTURE,) * 10, seed=MAX_SEED, num_images=6, steps=200, true_cfg_scale=30.0
    )
    assert request.seed_of(1) == 0, "seeds wrap instead of leaving their range"


def test_guidance_needs_both_a_scale_and_something_to_steer_from() -> None:
    assert not GenerationRequest("x", true_cfg_scale=4.0).uses_guidance
    assert not GenerationRequest("x", negative_prompt="blur").uses_guidance
    assert GenerationRequest("x", negative_prompt="", true_cfg_scale=4.0).uses_guidance


def test_an_adapter_has_a_source_and_a_sane_scale() -> None:
    with pytest.raises(RequestError):
        AdapterRef(" ")
    with pytest.raises(RequestError):
        AdapterRef("folder", 5)


def test_a_picture_holds_as_many_bytes_as_its_sides_say() -> None:
    with pytest.raises(PictureError):
        Picture(2, 2, "RGB", bytes(3))
    with pytest.raises(PictureError):
        Picture(0, 2, "RGB", b"")
