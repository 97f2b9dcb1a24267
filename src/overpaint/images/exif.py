"""How a picture lies, as its EXIF block says; and blocks that nobody should read.

Read here and not by Pillow, which copies all that every entry points to: thousands of entries may point to the same
megabyte. Knows the first directory only.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_ORIENTATION = 0x0112
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_NUMBERS = {3: "H", 4: "I"}
_PREFIX = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


@dataclass(frozen=True, slots=True)
class _Entry:
    """A tag, its type and number of items, and four bytes: the value, or where a longer one is."""

    tag: int
    kind: int
    count: int
    value: bytes
    order: str

    @property
    def num_bytes(self) -> int:
        """Of the whole value."""
        return _ITEM_BYTES.get(self.kind, 0) * self.count

    def number(self, kind: str) -> int:
        """The value read as a number, or where it is."""
        return struct.unpack_from(self.order + kind, self.value)[0]


def orientation_of(info: Mapping[Any, Any]) -> int:
    """1..8 as EXIF counts, else as XMP does; 1, which is upright, where neither says so or the block is damaged.

    Args:
        info: of an image that PIL has opened and loaded.
    """
    try:
        for entry in _entries(_block_in(info)):
            if entry.tag == _ORIENTATION and entry.kind in _NUMBERS:
                return entry.number(_NUMBERS[entry.kind])
    except (struct.error, ValueError):
        return 1
    found = _XMP_ORIENTATION.search(_xmp_in(info))
    return int(found[1]) if found else 1


def is_amplifying(block: bytes) -> bool:
    """Whether the entries of an EXIF block point to more than there is, all together."""
    num_bytes = 0
    try:
        for entry in _entries(block):
            is_elsewhere = entry.num_bytes > 4
            if is_elsewhere and entry.number("I") + entry.num_bytes <= len(block):
                num_bytes += entry.num_bytes
    except (struct.error, ValueError):
        pass  # nobody reads on behind this
    return num_bytes > 2 * len(block)


def _block_in(info: Mapping[Any, Any]) -> bytes:
    """The block, or the form that older programs write it in: hexadecimal, behind its name and length."""
    block, text = info.get("exif"), info.get("Raw profile type exif")
    if not isinstance(block, bytes) and isinstance(text, str):
        block = bytes.fromhex("".join(text.split("\n")[3:]))
    while isinstance(block, bytes) and block.startswith(_PREFIX):
        block = block[len(_PREFIX) :]
    return block if isinstance(block, bytes) else b""


def _xmp_in(info: Mapping[Any, Any]) -> bytes:
    xmp = info.get("XML:com.adobe.xmp") or info.get("xmp")
    if isinstance(xmp, str):
        return xmp.encode("utf-8", "replace")
    return xmp if isinstance(xmp, bytes) else b""


def _entries(block: bytes) -> Iterator[_Entry]:
    if not block:
        return
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        raise ValueError("neither byte order")
    at: int = struct.unpack_from(f"{order}I", block, 4)[0]
    for index in range(struct.unpack_from(f"{order}H", block, at)[0]):
        tag, kind, count, value = struct.unpack_from(f"{order}HHI4s", block, at + 2 + 12 * index)
        yield _Entry(tag, kind, count, value, order)
