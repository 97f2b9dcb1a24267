"""Errors as people read them: in their language, and with the form's own names."""

import re
from dataclasses import replace

import pytest

from overpaint.core.errors import (
    AccessError,
    BackendError,
    ContentError,
    OverpaintError,
    OversizeError,
    PictureError,
    RateLimitError,
    RequestError,
    UnreachablePictureError,
)
from overpaint.core.request import GenerationRequest, OutputSpec
from overpaint.core.task import TaskFailure
from overpaint.engine.fitting import check_fits, out_of_memory
from overpaint.engine.limits import Limits
from overpaint.images.decode import decode_picture
from overpaint.images.limits import PictureLimits
from overpaint.playground.request_form import read_form
from overpaint.playground.telling import reason, sentence, told
from overpaint.playground.wording import words_of
from overpaint.service.draft import Draft, PictureFile
from overpaint.store.attempts import lost_for_good
from tests.unit.engine.scheduling import make_job
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


@pytest.mark.parametrize(
    ("error", "english", "chinese"),
    [
        (
            UnreachablePictureError("images[1]", "http://a.test/b c", "cannot be fetched (its server answers 404)"),
            "Picture 2: “http://a.test/b c” cannot be fetched (its server answers 404)",
            "图片 2：“http://a.test/b c” 无法下载（对方服务器返回 404）",
        ),
        (ContentError("prompt", "it's", "is not safe for work"), "Prompt is not safe for work", "提示词内容不适宜"),
        (
            BackendError(lost_for_good(3).message),
            "the server that worked on this went away 3 times",
            "处理此任务的服务器中断了 3 次",
        ),
        (BackendError("CUDA: x must be 1"), "CUDA: x must be 1", "CUDA: x must be 1"),
    ],
)
def test_why_a_run_failed_is_told_in_the_pages_language(error: OverpaintError, english: str, chinese: str) -> None:
    assert (reason(of(error), EN), reason(of(error), ZH)) == (english, chinese)


def test_what_would_fit_into_memory_is_told_in_chinese() -> None:
    job, limits = make_job("t", side=512, guided=True), Limits(10**9, 10**9, work_bytes_per_token=10)
    short = replace(limits, cache_bytes=30)
    with pytest.raises(OversizeError) as caught:
        check_fits(job, short)
    for error in (out_of_memory(job, limits), caught.value):
        said = reason(of(error), ZH)
        assert not re.search("[a-z]{2}", said), said


def of(error: OverpaintError) -> TaskFailure:
    """How the error that ended a run is stored."""
    return TaskFailure(error.code, error.message)


async def refusal_of(world: World, draft: Draft) -> OverpaintError:
    """What the service says to a draft."""
    with pytest.raises(OverpaintError) as caught:
        await world.service.submit.submit(world.caller, draft)
    return caught.value
