"""What several dialects need and none owns: ids with dashes, fields by the caller's names."""

import pytest

from overpaint.api.errors import MissingFieldError, UnknownFieldError
from overpaint.api.field_names import in_words
from overpaint.api.task_ids import dashed, undashed
from overpaint.core.errors import OverpaintError, RequestError, TaskNotFoundError
from overpaint.service.draft import PictureBytes, PictureDataUri, picture_source
from overpaint.service.uploads import plain_name

ID = "9f0c6c1f0f6b4b58a0e3f3f6a1b2c3d4"
NAMES = {
    "steps": "num_inference_steps",
    "adapters[0]": "lora",
    "adapters": "loras",
    "images": "image",
    "images[]": "images",
}


def test_an_id_survives_the_dashes() -> None:
    assert dashed(ID) == "9f0c6c1f-0f6b-4b58-a0e3-f3f6a1b2c3d4"
    assert undashed(dashed(ID)) == undashed(ID) == undashed(dashed(ID).upper()) == ID


@pytest.mark.parametrize("text", ["", "nope", "../" + ID, ID + "0", "\0" * 32, "é" * 32])
def test_what_cannot_be_an_id_is_not_found(text: str) -> None:
    with pytest.raises(TaskNotFoundError):
        undashed(text)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RequestError("steps", 0, "must be 1 to 200"), "num_inference_steps: 0 must be 1 to 200"),
        (RequestError("adapters[0]", "x", "is bad"), "lora: 'x' is bad"),
        (RequestError("adapters[2]", "x", "is bad"), "loras[2]: 'x' is bad"),
        (RequestError("images", 11, "are too many"), "image: 11 are too many"),
        (RequestError("images[2]", "x", "is bad"), "images[2]: 'x' is bad"),
        (RequestError("images[2].image_url", "x", "is bad"), "images[2].image_url: 'x' is bad"),
        (RequestError("seed", -2, "is bad"), "seed: -2 is bad"),
        (MissingFieldError("steps"), "num_inference_steps: is required"),
        (OverpaintError("steps: no field"), "steps: no field"),
        (UnknownFieldError("steps", 4, "is not taken"), "steps: 4 is not taken"),
    ],
)
def test_a_field_is_told_by_the_callers_name(error: OverpaintError, text: str) -> None:
    assert in_words(error, NAMES) == text


@pytest.mark.parametrize("lines", ["aGVs\nbG8h\n", "aGVs\r\nbG8h"])
def test_base64_may_come_in_lines(lines: str) -> None:
    assert picture_source(lines) == PictureBytes(b"hello!")
    assert picture_source(f"data:image/png;base64,{lines}") == PictureDataUri("data:image/png;base64,aGVsbG8h")


@pytest.mark.parametrize(
    ("name", "plain"),
    [("漢字.png", "file.png"), ("ü é.png", "file.png"), (".png", "png"), ("..", "file"), ("漢", "file")],
)
def test_the_ending_of_a_name_is_kept(name: str, plain: str) -> None:
    assert plain_name(name) == plain
