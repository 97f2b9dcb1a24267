"""A painted region put back into its picture."""

from overpaint.core.picture import Picture
from overpaint.images.composite import composite


def _flat(value: int, mode: str = "RGB") -> Picture:
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    return Picture(2, 1, mode, bytes([value] * 2 * channels))  # type: ignore[arg-type]


def test_white_takes_the_new_picture_and_black_the_old_one_to_the_byte() -> None:
    mask = Picture(2, 1, "L", bytes([255, 0]))
    joined = composite(_flat(7), _flat(201), mask)
    assert joined == Picture(2, 1, "RGBA", bytes([7, 7, 7, 255, 201, 201, 201, 255]))


def test_grey_blends_and_alpha_is_kept_outside() -> None:
    mask = Picture(2, 1, "L", bytes([128, 0]))
    joined = composite(_flat(255), _flat(1, "RGBA"), mask)
    assert joined.data[:4] == bytes([(255 * 128 + 1 * 127 + 127) // 255] * 4)
    assert joined.data[4:] == bytes([1, 1, 1, 1])
