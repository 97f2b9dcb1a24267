"""Bytes or a file to a `core.Picture`: limits first, then decoding, rotation and colour.

Takes JPEG, PNG, WebP and GIF, told apart by content and never by name; of an animation, the first frame.
Everything that is wrong with a picture is a `PictureError`. Does not fetch from the network.
"""

import io
import re
import struct
from pathlib import Path
from typing import cast

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from overpaint.core.errors import PictureError
from overpaint.core.picture import Picture
from overpaint.images.color import to_srgb
from overpaint.images.effort import broken_by_effort
from overpaint.images.exif import orientation_of
from overpaint.images.header import Header, read_header
from overpaint.images.limits import PictureLimits
from overpaint.images.pil import from_pil

# What Pillow's readers raise on damaged files; it has no base class for them.
_PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
    struct.error,
    Image.DecompressionBombError,
)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DAMAGED = "is damaged or cut off and cannot be read"
_URL = re.compile(r"https?:/|data:", re.IGNORECASE)
"""With one slash: a path has lost the other."""
_HIGHEST_GREYS = {"L;2": 3, "L;4": 15}
"""By the form that a PNG's samples have in its file."""


def read_picture(path: Path, field: str = "images", limits: PictureLimits | None = None) -> Picture:
    """Decode the file at `path`.

    Args:
        path: a picture file, or a pipe that one comes through.
        field: what the request calls this picture, for the error.
        limits: bounds to keep; None for the defaults.

    Raises:
        PictureError: there is no such file, or it cannot be used.
    """
    limits = limits or PictureLimits()
    name = str(path)
    if _URL.match(name):
        raise PictureError(field, name, "is a URL, and must be a file here; download it first")
    try:
        if path.is_dir():
            raise PictureError(field, name, "is a folder, not a picture")
        if num_bytes := path.stat().st_size:  # of a pipe it is nothing
            _refuse(field, name, limits.broken_by_bytes(num_bytes))
        with path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)
    except FileNotFoundError as exc:
        raise PictureError(field, name, "does not exist") from exc
    except OSError as exc:
        raise PictureError(field, name, f"cannot be read ({exc.strerror or exc})") from exc
    except ValueError as exc:
        raise PictureError(field, ascii(name), "is no name that a file can have") from exc
    return decode_picture(data, field, name, limits)


def decode_picture(
    data: bytes, field: str = "images", name: str = "picture", limits: PictureLimits | None = None
) -> Picture:
    """Decode the bytes of a picture file.

    Args:
        data: the whole file.
        field: what the request calls this picture, for the error.
        name: what the caller calls it, for the error.
        limits: bounds to keep; None for the defaults.

    Raises:
        PictureError: it breaks a limit, is damaged, or is no picture that Overpaint takes.
    """
    limits = limits or PictureLimits()
    _refuse(field, name, limits.broken_by_bytes(len(data)))
    header = _header_of(data, field, name)
    _refuse(field, name, limits.broken_by_sides(header.width, header.height))
    _refuse(field, name, broken_by_effort(data, header.format))
    try:
        image = _decode(data, header, limits)
    except _PILLOW_ERRORS as exc:
        raise PictureError(field, name, _DAMAGED) from exc
    return from_pil(image)


def take_pil(
    image: Image.Image, field: str = "images", name: str = "picture", limits: PictureLimits | None = None
) -> Picture:
    """A picture from an image that PIL has opened: same limits on its sides, same rotation and colours.

    Raises:
        PictureError: it breaks a limit, cannot be decoded, or is of floating point.
    """
    limits = limits or PictureLimits()
    _refuse(field, name, limits.broken_by_sides(*image.size))
    if image.mode == "F":
        raise PictureError(field, name, "is of floating point and does not say what white is; convert it to L or RGB")
    try:
        return from_pil(to_srgb(_upright(image)))
    except _PILLOW_ERRORS as exc:
        raise PictureError(field, name, _DAMAGED) from exc


def _header_of(data: bytes, field: str, name: str) -> Header:
    try:
        header = read_header(data)
    except ValueError as exc:
        raise PictureError(field, name, _DAMAGED) from exc
    if header is None:
        raise PictureError(field, name, "must be a JPEG, PNG, WebP or GIF picture")
    return header


def _decode(data: bytes, header: Header, limits: PictureLimits) -> Image.Image:
    """Decode the first frame, upright and in sRGB.

    Pillow looks at the real sides once more: a GIF frame may be larger than the screen its header declares.
    """
    with Image.open(io.BytesIO(data), formats=[header.format]) as image:
        if limits.broken_by_sides(*image.size):
            raise ValueError("the first frame has other sides than the header")
        return to_srgb(_upright(image))


def _scale_transparency(image: Image.Image) -> None:
    """Bring the one transparent colour of a PNG that is not loaded to the eight bits of its samples.

    Pillow leaves it at the depth of the file, and tells that depth only until it has loaded the samples; so this is put
    right in the image itself. Of sixteen bits for each of red, green and blue Pillow gives the upper half, which is all
    that can be compared.
    """
    colour, form = image.info.get("transparency"), _form_of(image)
    if form in _HIGHEST_GREYS and isinstance(colour, int):
        highest = _HIGHEST_GREYS[form]
        image.info["transparency"] = (colour & highest) * 255 // highest
    elif form == "RGB;16B" and isinstance(colour, tuple):
        image.info["transparency"] = tuple(level >> 8 for level in cast("tuple[int, ...]", colour))


def _form_of(image: Image.Image) -> str | None:
    """How the samples of a PNG that is not loaded lie in its file, in Pillow's words."""
    tiles = image.tile if isinstance(image, PngImageFile) else []
    return str(tiles[0].args) if tiles else None


def _upright(image: Image.Image) -> Image.Image:
    """Loaded, and turned as its EXIF says."""
    _scale_transparency(image)
    image.load()
    turn = _TURNS.get(orientation_of(image.info))
    return image if turn is None else image.transpose(turn)


def _refuse(field: str, name: str, rule: str | None) -> None:
    if rule:
        raise PictureError(field, name, rule)
