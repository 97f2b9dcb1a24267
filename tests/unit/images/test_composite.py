"""A painted region put back into its picture."""

from overpaint.core.picture import Picture
from overpaint.images.alpha import brightness
from overpaint.images.composite import composite


def _flat(value: int, mode: str = "RGB") -> Picture:
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    return Picture(2, 1, mode, bytes([value] * 2 * channels))  # type: ignore[arg-type]


def test_white_takes_the_new_picture_and_black_the_old_one_to_the_byte() -> None:
    mask = Picture(2, 1, "L", bytes([255, 0]))
    joined = composite(_flat(7), _flat(201), mask)
    assert joined == Picture(2, 1, "RGBA", bytes([7, 7, 7, 255, 201, 201, 201, 255]))


def _pixels(*samples: tuple[int, int, int, int]) -> Picture:
    return Picture(len(samples), 1, "RGBA", bytes(value for sample in samples for value in sample))


def test_grey_blends() -> None:
    mask = Picture(2, 1, "L", bytes([128, 0]))
    joined = composite(_flat(255), _flat(1), mask)
    assert joined.data[:4] == bytes([(255 * 128 + 1 * 127 + 127) // 255] * 3 + [255])
    assert joined.data[4:] == bytes([1, 1, 1, 255])


def test_a_colour_that_is_not_seen_does_not_bleed_into_the_edge() -> None:
    """An object on white made transparent through a soft mask had a dark fringe: of the black under what is clear."""
    clear, white = (0, 0, 0, 0), (255, 255, 255, 255)
    mask = Picture(3, 1, "L", bytes([255, 128, 0]))
    assert composite(_pixels(clear, clear, clear), _pixels(white, white, white), mask) == _pixels(
        clear, (255, 255, 255, 127), white
    )
    red, blue = (200, 0, 0, 0), (0, 0, 200, 0)
    joined = composite(_pixels(red, red, red), _pixels(blue, blue, blue), mask)
    assert joined == _pixels(red, (100, 0, 100, 0), blue)


def test_where_a_mask_is_transparent_nothing_is_drawn() -> None:
    """Some programs leave white under transparent pixels, which repainted the whole picture."""
    mask = _pixels((255, 255, 255, 255), (255, 255, 255, 0))
    assert brightness(mask) == Picture(2, 1, "L", bytes([255, 0]))
    assert composite(_flat(7), _flat(201), mask).data == bytes([7, 7, 7, 255, 201, 201, 201, 255])
