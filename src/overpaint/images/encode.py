"""A `core.Picture` to the bytes of a file, with or without transparency, with its recipe inside.

Writes no files itself.
"""

import io

from PIL import Image

from overpaint.core.picture import Picture
from overpaint.core.request import Background, OutputFormat, OutputSpec
from overpaint.images.metadata import Recipe, exif_block, png_chunks
from overpaint.images.pil import to_pil

SUFFIXES: dict[str, OutputFormat] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_LOSSLESS = 100
_JPEG_EXIF_BYTES = 65_533
"""What one segment of a JPEG holds; Pillow writes no block that needs two."""
_PNG_LEVEL = 4
"""zlib's default of 6 takes twice the time of 4 for files that are at most 1.3 % smaller (zlib-ng, 1024 x 1024)."""


def encode(picture: Picture, output: OutputSpec, recipe: Recipe | None = None) -> bytes:
    """The bytes of a picture file.

    Args:
        picture: what to write.
        output: container, quality and what to do with transparency.
        recipe: how it was made; None writes no metadata.
    """
    image = _on_background(to_pil(picture), output.background, output.format)
    buffer = io.BytesIO()
    _WRITERS[output.format](image, buffer, output.quality, recipe)
    return buffer.getvalue()


def _on_background(image: Image.Image, background: Background, file_format: OutputFormat) -> Image.Image:
    """Keep alpha when it is wanted, possible and says something; else lay the picture on white."""
    if image.mode != "RGBA":
        return image.convert("RGBA") if background == "transparent" else image
    if background == "transparent":
        return image
    is_opaque = image.getchannel("A").getextrema() == (255, 255)
    if is_opaque:
        return image.convert("RGB")
    if background == "opaque" or file_format == "jpeg":
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image


def _write_png(image: Image.Image, buffer: io.BytesIO, _quality: int, recipe: Recipe | None) -> None:
    chunks = png_chunks(recipe) if recipe else None
    image.save(buffer, "PNG", compress_level=_PNG_LEVEL, pnginfo=chunks)


def _write_jpeg(image: Image.Image, buffer: io.BytesIO, quality: int, recipe: Recipe | None) -> None:
    """Full colour resolution from 90 up: halving it is what people see first on flat coloured shapes."""
    subsampling = 0 if quality >= 90 else 2
    exif = exif_block(recipe, _JPEG_EXIF_BYTES) if recipe else b""
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling, exif=exif)


def _write_webp(image: Image.Image, buffer: io.BytesIO, quality: int, recipe: Recipe | None) -> None:
    """`exact` keeps the colour under transparent pixels, which later edits of the picture may bring back."""
    exif = exif_block(recipe) if recipe else b""
    image.save(buffer, "WEBP", quality=quality, lossless=quality == _LOSSLESS, exact=True, exif=exif)


_WRITERS = {"png": _write_png, "jpeg": _write_jpeg, "webp": _write_webp}
