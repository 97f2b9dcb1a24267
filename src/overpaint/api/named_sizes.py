"""Picture sizes by name (``landscape_16_9``) or by sides, as several vendors' bodies have them. Knows no dialect."""

from typing import Literal

from pydantic import BaseModel, Field

from overpaint.api.errors import MissingFieldError
from overpaint.api.json_numbers import Whole
from overpaint.core.sizes import Size

SizeName = Literal["square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"]
SIZES: dict[SizeName, Size] = {
    "square_hd": Size(1024, 1024),
    "square": Size(512, 512),
    "portrait_4_3": Size(768, 1024),
    "portrait_16_9": Size(576, 1024),
    "landscape_4_3": Size(1024, 768),
    "landscape_16_9": Size(1024, 576),
}


class ImageSize(BaseModel):
    """ImageSize of a picture, in pixels."""

    width: Whole = Field(default=512, gt=0, le=14142)
    height: Whole = Field(default=512, gt=0, le=14142)


def size_of(asked: ImageSize | SizeName | None) -> Size | None:
    """What was asked; None leaves it to the model."""
    if asked is None:
        return None
    return Size(asked.width, asked.height) if isinstance(asked, ImageSize) else SIZES[asked]


def size_of_sides(width: int | None, height: int | None) -> Size | None:
    """What two fields ask for together; None when neither is there.

    Raises:
        MissingFieldError: one is there without the other.
    """
    if width is None and height is None:
        return None
    if width is None or height is None:
        raise MissingFieldError("height" if height is None else "width", None, "is required with the other side")
    return Size(width, height)
