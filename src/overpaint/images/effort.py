"""How much work a file makes besides its pixels: a small one can keep a reader busy for hours.

A JPEG may be drawn in any number of passes over all its pixels, files may be cut into parts of a byte, and Pillow joins
the comments of a GIF one by one. Counted in one walk over the parts, before anything is decoded; where a file is
damaged, the walk ends and decoding says so. Knows nothing of limits on sides.
"""

import re
from collections.abc import Callable

from overpaint.images.exif import is_amplifying
from overpaint.images.header import PictureFormat

MAX_PARTS = 65_536
"""Of one KiB each in the largest file; no program writes smaller ones throughout."""
MAX_JPEG_SCANS = 500
"""Programs write ten or so; libjpeg-turbo's own tools stop at this number, too."""
MAX_GIF_FRONT_BYTES = 512 * 1024
"""What a GIF may say before its first frame; metadata of pictures has a few KiB."""
_JPEG_MARKER = re.compile(rb"\xff[^\xff]")
_JPEG_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_JPEG_WITH_LENGTH = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE}) - {0xC8}
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_NOTES = frozenset({0xE1, 0xE2})
_GIF_ENDS = frozenset(b",;")
_GIF_EXTENSION = ord("!")


def broken_by_effort(data: bytes, picture_format: PictureFormat) -> str | None:
    """The rule a file breaks that is made to keep its reader busy, as a clause, or None."""
    is_laborious = _WALKS.get(picture_format)
    if is_laborious is not None and is_laborious(data):
        return "is made of more parts than any program writes; save it anew"
    return None


def _is_laborious_png(data: bytes) -> bool:
    at = 8
    for _ in range(MAX_PARTS):
        if at + 12 > len(data) or data[at + 4 : at + 8] == b"IEND":
            return False
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return True


def _is_laborious_jpeg(data: bytes) -> bool:
    """Pillow reads what the notes say of the camera and of further pictures as soon as it opens the file."""
    notes: list[bytes] = []
    if _has_many_jpeg_parts(data, notes):
        return True
    exif = b"".join(note[6:] for note in notes if note.startswith(b"Exif\0\0"))
    further = [note[4:] for note in notes if note.startswith(b"MPF\0")]
    return any(is_amplifying(block) for block in (exif, *further))


def _has_many_jpeg_parts(data: bytes, notes: list[bytes]) -> bool:
    """Bytes between segments count like segments: they are read one by one, but for those of a scan.

    Args:
        data: the file.
        notes: gets what stands in segments for notes, before the first scan.
    """
    at, num_parts, num_scans = 2, 0, 0
    while num_parts <= MAX_PARTS and num_scans <= MAX_JPEG_SCANS:
        found = (_JPEG_MARKER_IN_SCAN if num_scans else _JPEG_MARKER).search(data, at)
        if found is None:
            return not num_scans and len(data) - at > MAX_PARTS
        marker, at_body = data[found.start() + 1], found.end()
        if marker == _JPEG_END and num_scans:
            return False
        num_parts += 1 if num_scans else 1 + found.start() - at
        num_scans += marker == _JPEG_SCAN
        num_bytes = int.from_bytes(data[at_body : at_body + 2], "big") if marker in _JPEG_WITH_LENGTH else 0
        at = at_body + num_bytes
        if marker in _JPEG_NOTES and not num_scans:
            notes.append(data[at_body + 2 : at])
    return True


def _is_laborious_gif(data: bytes) -> bool:
    flags = data[10] if len(data) > 10 else 0
    at = start = 13 + (3 * (2 << (flags & 7)) if flags & 0x80 else 0)
    while at < len(data) and data[at] not in _GIF_ENDS:
        at = _after_gif_blocks(data, at + 2) if data[at] == _GIF_EXTENSION else at + 1
        if at - start > MAX_GIF_FRONT_BYTES:
            return True
    return False


def _after_gif_blocks(data: bytes, at: int) -> int:
    """Behind a chain of blocks, each with its length in front, or where it has become too long."""
    end = min(len(data), at + MAX_GIF_FRONT_BYTES)
    while at < end and data[at]:
        at += 1 + data[at]
    return at + 1


_WALKS: dict[PictureFormat, Callable[[bytes], bool]] = {
    "PNG": _is_laborious_png,
    "JPEG": _is_laborious_jpeg,
    "GIF": _is_laborious_gif,
}
