"""A decoded picture as plain values, so that it can cross any process border.

Knows nothing of files, PIL or tensors: `overpaint.images` makes one from bytes and back.
"""

from dataclasses import dataclass, field
from typing import Literal

from overpaint.core.errors import PictureError

PictureMode = Literal["L", "RGB", "RGBA"]
_CHANNELS: dict[PictureMode, int] = {"L": 1, "RGB": 3, "RGBA": 4}


@dataclass(frozen=True, slots=True)
class Picture:
    """Eight-bit sRGB samples, row-major, channels interleaved.

    Args:
        width: pixels, at least 1.
        height: pixels, at least 1.
        mode: ``"RGB"``, ``"RGBA"`` (alpha not premultiplied) or ``"L"`` (a mask).
        data: ``width * height * channels`` bytes.

    Raises:
        PictureError: the byte count does not fit the sides.
    """

    width: int
    height: int
    mode: PictureMode
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        expected = self.width * self.height * _CHANNELS[self.mode]
        if self.width < 1 or self.height < 1:
            raise PictureError("picture", f"{self.width}x{self.height}", "must be at least 1x1")
        if len(self.data) != expected:
            raise PictureError("picture", len(self.data), f"must be {expected} bytes of {self.mode}")

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height
