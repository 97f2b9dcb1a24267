import io
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from PIL import ExifTags, Image

from overpaint.core.picture import Picture
from overpaint.core.request import Background, OutputFormat, OutputSpec
from overpaint.core.sizes import Size
from overpaint.images.encode import encode
from overpaint.images.metadata import Recipe, read_recipe
from overpaint.images.pil import from_pil, to_pil
from overpaint.images.resize import resize

RECIPE = Recipe(
    prompt='猫 "and" a\ndog 🐕 ünder',
    negative_prompt="blur, 模糊",
    model="overpaint-mini",
    seed=2147483647,
    steps=30,
    true_cfg_scale=2.5,
    size="512x512",
    painted_size="128x128",
    software="overpaint 0.1.0",
)
CLEAR_RED = Picture(16, 16, "RGBA", b"\xff\0\0\0" * 256)


def written(picture: Picture, output: OutputSpec, recipe: Recipe | None = None) -> Image.Image:
    image = Image.open(io.BytesIO(encode(picture, output, recipe)))
    image.load()
    return image


@pytest.mark.parametrize("file_format", get_args(OutputFormat))
def test_the_recipe_comes_back_word_for_word(file_format: OutputFormat) -> None:
    image = written(Picture(16, 16, "RGB", bytes(768)), OutputSpec(file_format), RECIPE)
    assert image.format == file_format.upper()
    assert read_recipe(image) == RECIPE


def test_a_jpeg_has_room_for_the_recipe_of_long_words_and_then_for_none() -> None:
    picture = Picture(16, 16, "RGB", bytes(768))
    long = replace(RECIPE, prompt="猫" * 5000, negative_prompt="狗" * 3000)
    image = written(picture, OutputSpec("jpeg"), long)
    assert read_recipe(image) == long
    longest = written(picture, OutputSpec("jpeg"), replace(RECIPE, prompt="🐕" * 5000, negative_prompt="🐕" * 5000))
    assert read_recipe(longest) is None
    assert longest.getexif()[ExifTags.Base.Software] == RECIPE.software


@pytest.mark.parametrize("file_format", get_args(OutputFormat))
def test_a_picture_without_a_recipe_reads_as_such(file_format: OutputFormat) -> None:
    assert read_recipe(written(Picture(16, 16, "RGB", bytes(768)), OutputSpec(file_format))) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"prompt": 1}'])
def test_somebody_elses_metadata_is_no_recipe(text: str) -> None:
    image = Image.new("RGB", (4, 4))
    image.info["overpaint"] = text
    assert read_recipe(image) is None


@pytest.mark.parametrize("file_format", ["png", "webp"])
def test_png_and_lossless_webp_keep_every_sample(file_format: OutputFormat) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (24, 16, 4), dtype=np.uint8)
    picture = Picture(16, 24, "RGBA", samples.tobytes())
    assert from_pil(written(picture, OutputSpec(file_format, quality=100))) == picture


def test_quality_is_obeyed() -> None:
    noise = from_pil(Image.effect_noise((64, 64), 80).convert("RGB"))
    for file_format in ("jpeg", "webp"):
        low, high = (len(encode(noise, OutputSpec(file_format, quality=quality))) for quality in (20, 95))
        assert low < high


@pytest.mark.parametrize(
    ("file_format", "background", "mode"),
    [
        ("png", "auto", "RGBA"),
        ("png", "transparent", "RGBA"),
        ("png", "opaque", "RGB"),
        ("webp", "auto", "RGBA"),
        ("webp", "opaque", "RGB"),
        ("jpeg", "auto", "RGB"),
        ("jpeg", "opaque", "RGB"),
    ],
)
def test_transparency_is_kept_or_laid_on_white(file_format: OutputFormat, background: Background, mode: str) -> None:
    image = written(CLEAR_RED, OutputSpec(file_format, background=background))
    assert image.mode == mode
    if mode == "RGB":
        assert image.getpixel((8, 8)) == pytest.approx((255, 255, 255), abs=2)


def test_alpha_that_says_nothing_is_not_written() -> None:
    opaque = Picture(16, 16, "RGBA", b"\x10\x20\x30\xff" * 256)
    assert written(opaque, OutputSpec("png")).mode == "RGB"
    assert written(opaque, OutputSpec("png", background="transparent")).mode == "RGBA"


def test_a_picture_asked_to_be_transparent_has_an_alpha_channel_in_any_case() -> None:
    assert written(Picture(16, 16, "RGB", bytes(768)), OutputSpec("png", background="transparent")).mode == "RGBA"


def test_resizing_does_not_bleed_colour_from_under_transparent_pixels() -> None:
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (8, 8, 24, 24))
    small = np.asarray(to_pil(resize(from_pil(image), Size(11, 11)))).astype(int)
    visible = small[..., 3] > 8
    assert small[visible][:, 0].max() < 8, "red was only ever under transparent pixels"


def test_resizing_to_the_same_size_gives_the_picture_itself() -> None:
    assert resize(CLEAR_RED, Size(16, 16)) is CLEAR_RED


def test_a_foreign_mode_is_not_taken_for_a_picture() -> None:
    with pytest.raises(ValueError, match="CMYK"):
        from_pil(Image.new("CMYK", (4, 4)))
