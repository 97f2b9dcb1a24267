"""What transparency says: as a mask, in a mask, and whether a written picture has any. Knows no vendor's rules."""

import io

from PIL import Image, ImageChops

from overpaint.core.picture import Picture
from overpaint.images.pil import from_pil, to_pil


def is_transparent(picture: Picture) -> bool:
    """Whether any pixel lets something through."""
    return picture.mode == "RGBA" and to_pil(picture).getchannel("A").getextrema() != (255, 255)


def mask_of_holes(picture: Picture) -> Picture:
    """White where `picture` is transparent, black where it is opaque, grey between.

    Args:
        picture: mode ``"RGBA"``.

    Returns:
        A picture of mode ``"L"`` and the same sides.
    """
    return from_pil(ImageChops.invert(to_pil(picture).getchannel("A")))


def brightness(mask: Picture) -> Picture:
    """A mask in any mode as one of mode ``"L"``; where it is transparent nothing is drawn, so that is black.

    Programs leave any colour under transparent pixels, and some of them white.
    """
    if mask.mode == "L":
        return mask
    image = to_pil(mask)
    if mask.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return from_pil(image.convert("L"))


def has_alpha(data: bytes) -> bool:
    """Whether a picture file that Overpaint wrote carries an alpha channel."""
    with Image.open(io.BytesIO(data)) as image:
        return image.has_transparency_data
