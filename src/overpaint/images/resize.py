"""Resizing of pictures, with transparency done right. Knows nothing of models or of why a size was asked."""

from PIL import Image

from overpaint.core.picture import Picture
from overpaint.core.sizes import Size
from overpaint.images.pil import from_pil, to_pil


def resize(picture: Picture, size: Size) -> Picture:
    """`picture` at `size`, by Lanczos.

    Alpha is premultiplied on the way (Pillow does so for RGBA), so that the colour hidden under transparent pixels does
    not bleed into the edges.
    """
    if (picture.width, picture.height) == (size.width, size.height):
        return picture
    return from_pil(to_pil(picture).resize((size.width, size.height), Image.Resampling.LANCZOS))
