"""Errors as people read them: in their language, and with the form's own names."""

import re
from dataclasses import replace

import pytest

from overpaint.core.errors import AccessError, OverpaintError, PictureError, RateLimitError, RequestError
from overpaint.core.request import GenerationRequest, OutputSpec
from overpaint.images.decode import decode_picture
from overpaint.images.limits import PictureLimits
from overpaint.playground.request_form import read_form
from overpaint.playground.telling import sentence, told
from overpaint.playground.wording import words_of
from overpaint.service.draft import Draft, PictureFile
from tests.unit.playground.test_values import VALUES
from tests.unit.service.world import World

EN, ZH = words_of("en"), words_of("zh")


def test_an_error_stands_beside_its_field() -> None:
    below, pictures = told(RequestError("images[0]", "<b>", "cannot be read"), EN)
    assert below == ""
    assert "&lt;b&gt;" in pictures
    below, pictures = told(AccessError("no"), EN)
    assert "no" in below
    assert pictures == ""


@pytest.mark.parametrize(
    ("error", "english", "chinese"),
    [
        (RequestError("prompt", " ", "must not be blank"), "Prompt must not be blank", "提示词不能为空"),
        (RequestError("seed", None, "must be a whole number"), "Seed must be a whole number", "种子须为整数"),
        (
            RequestError("num_images", 9, "must be 1 to 6"),
            "Number of pictures: 9 must be 1 to 6",
            "张数：9 须为 1 到 6",
        ),
        (PictureError("file", "a.heic", "is empty"), "“a.heic” is empty", "“a.heic”是空文件"),
        (PictureError("images[1]", "x", "is not valid"), "Picture 2: “x” is not valid", "图片 2：“x” is not valid"),
        (RateLimitError("this is new"), "this is new", "this is new"),
    ],
)
def test_a_field_is_called_as_the_form_calls_it(error: OverpaintError, english: str, chinese: str) -> None:
    assert (sentence(error, EN), sentence(error, ZH)) == (english, chinese)


@pytest.mark.anyio
async def test_what_the_service_refuses_of_the_form_is_told_in_chinese(world: World) -> None:
    limits = PictureLimits(max_bytes=10)
    refused = [
        await refusal_of(world, replace(Draft(model="qwen-image-2.0", prompt="a", dialect="page"), **given))
        for given in (
            {"prompt": "a" * 9999},
            {"prompt": "\0"},
            {"seed": 1 << 40},
            {"steps": 999},
            {"num_images": 99},
            {"true_cfg_scale": 99.0},
            {"size": "7x7"},
            {"model": "x"},
            {"mask": PictureFile("uploads/k/1")},
            {"pictures": (PictureFile("uploads/k/1"),)},
            {"pictures": (PictureFile("uploads/k/1"),) * 20},
        )
    ]
    for ask in (
        lambda: OutputSpec("jpeg", background="transparent"),
        lambda: GenerationRequest(prompt=" "),
        lambda: decode_picture(b"no picture"),
        lambda: decode_picture(b"no picture", limits=PictureLimits(max_bytes=1)),
        lambda: decode_picture(b"", limits=limits),
        lambda: read_form(VALUES | {"adapters": {"chosen": [{"source": "ink", "scale": 9}]}}),
        lambda: read_form(VALUES | {"adapters": {"chosen": [{"source": "ink", "scale": None}]}}),
    ):
        with pytest.raises(RequestError) as caught:
            ask()
        refused.append(caught.value)
    for error in refused:
        assert not re.search(r"\b(must|is|are|has|at most|cannot)\b", sentence(error, ZH)), sentence(error, ZH)


async def refusal_of(world: World, draft: Draft) -> OverpaintError:
    """What the service says to a draft."""
    with pytest.raises(OverpaintError) as caught:
        await world.service.submit.submit(world.caller, draft)
    return caught.value
