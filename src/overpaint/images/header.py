"""What a file says it is, read from its first bytes: its format and its sides, before anything is decoded.

The sides are parsed here and not by Pillow because Pillow's WebP reader allocates the whole canvas on opening, and its
own bomb guard is a process-wide number. Knows nothing of limits. Covers the four formats Overpaint takes.
"""

import re
import struct
from dataclasses import dataclass
from typing import Literal

PictureFormat = Literal["PNG", "JPEG", "WEBP", "GIF"]

_JPEG_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_MARKER = re.compile(rb"\xff[^\xff]")
_MAX_JPEG_SEGMENTS = 4096
_MAX_JPEG_FILL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Header:
    """Format and sides (pixels, before any EXIF rotation) that a file declares."""

    format: PictureFormat
    width: int
    height: int


def read_header(data: bytes) -> Header | None:
    """Recognise a picture file by its content.

    Returns:
        None when the content is none of PNG, JPEG, WebP and GIF.

    Raises:
        ValueError: it is one of them, but ends before it declares its sides, or a JPEG that hides them behind more than
            any program writes.
    """
    picture_format = read_format(data)
    if picture_format is None:
        return None
    try:
        width, height = _READERS[picture_format](data)
    except (struct.error, IndexError) as exc:
        raise ValueError(picture_format) from exc
    return Header(picture_format, width, height)


def read_format(data: bytes) -> PictureFormat | None:
    """What kind of picture file begins with these bytes; None when it is none of the four."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    return None


def _png_sides(data: bytes) -> tuple[int, int]:
    return struct.unpack_from(">II", data, 16)


def _gif_sides(data: bytes) -> tuple[int, int]:
    return struct.unpack_from("<HH", data, 6)


def _jpeg_sides(data: bytes) -> tuple[int, int]:
    """Walk the segments up to the first start-of-frame, which carries height and width."""
    at, fill_left = 2, _MAX_JPEG_FILL_BYTES
    for _ in range(_MAX_JPEG_SEGMENTS):
        found = _JPEG_MARKER.search(data, at, at + fill_left + 2)  # fill bytes may stand between segments
        if found is None:
            break
        fill_left -= found.start() - at
        at = found.start()
        marker = data[at + 1]
        if marker in _JPEG_START_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 if marker in _JPEG_WITHOUT_LENGTH else 2 + struct.unpack_from(">H", data, at + 2)[0]
    raise IndexError


def _webp_sides(data: bytes) -> tuple[int, int]:
    """The canvas of the extended layout, else the one frame of the lossy or lossless layout."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        if len(data) < 30:
            raise IndexError
        return width, height
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


_READERS = {"PNG": _png_sides, "JPEG": _jpeg_sides, "WEBP": _webp_sides, "GIF": _gif_sides}
