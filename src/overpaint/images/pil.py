"""`core.Picture` to PIL and back. Knows nothing of files."""

from PIL import Image

from overpaint.core.picture import Picture


def to_pil(picture: Picture) -> Image.Image:
    """A PIL image of the same mode and samples."""
    return Image.frombytes(picture.mode, (picture.width, picture.height), picture.data)


def from_pil(image: Image.Image) -> Picture:
    """A picture of the same samples; `image` must be in mode L, RGB or RGBA."""
    if image.mode not in ("L", "RGB", "RGBA"):
        raise ValueError(f"mode {image.mode} must be converted to L, RGB or RGBA first")
    return Picture(image.width, image.height, image.mode, image.tobytes())
