"""What a string in the place of a picture stands for."""

import pytest

from overpaint.core.errors import PictureError
from overpaint.service.draft import PictureBytes, PictureDataUri, PictureUrl, picture_source


def test_a_string_is_a_url_a_data_uri_or_base64() -> None:
    assert picture_source(" https://example.com/a.png ") == PictureUrl("https://example.com/a.png")
    assert picture_source("data:image/png;base64,AAAA") == PictureDataUri("data:image/png;base64,AAAA")
    assert picture_source("YWJj") == PictureBytes(b"abc")


@pytest.mark.parametrize("text", ["###", "a", "º", "图片", "YWJj\x00"])
def test_what_is_none_of_them_is_refused(text: str) -> None:
    with pytest.raises(PictureError, match=r"^image\[0\]: "):
        picture_source(text, "image[0]")
