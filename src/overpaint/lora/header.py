"""The header of a safetensors file, of weights or of a LoRA: names, shapes and notes, without reading a tensor.

Safetensors is the only format that is taken: unlike a pickle, it holds numbers and cannot run anything.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

Shape = tuple[int, ...]
_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 16 * 1024 * 1024
"""safetensors itself allows 100 MB, which takes ten seconds and gigabytes to read; real ones have some hundred KB."""
_MAX_NAME_CHARS = 1024
_MAX_SIDES = 8
_MAX_SIDE = 1 << 48
"""Beyond what any file has; a product of thousands of endless numbers would stop the whole process for minutes."""
_DTYPE = re.compile(r"(?:BF|F|I|U|C)(4|6|8|16|32|64)(?:_E\dM\d\w*)?|(BOOL)")
"""All have their bits in their names, some behind them their exponent's and mantissa's."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a safetensors file says of itself.

    Args:
        shapes: of every tensor.
        notes: its metadata.
        num_bytes: of all tensors together.
    """

    shapes: Mapping[str, Shape]
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    num_bytes: int = 0


def looks_like_safetensors(data: bytes) -> bool:
    """Whether the first bytes of a file (nine at least) could be those of one."""
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    return (
        len(data) > _LENGTH_BYTES
        and 2 <= length <= _MAX_HEADER_BYTES
        and data[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{"
    )


def read_header(path: Path) -> Header:
    """The header of the file at `path`.

    Raises:
        ValueError: it is no whole safetensors file; a clause.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return parse_header(file, path.stat().st_size)


def parse_header(file: BinaryIO, file_bytes: int) -> Header:
    """The header at the beginning of an open file of `file_bytes`.

    Raises:
        ValueError: it is no whole safetensors file; a clause.
    """
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if not 2 <= length <= min(_MAX_HEADER_BYTES, file_bytes - _LENGTH_BYTES):
        raise ValueError("is not a safetensors file with a header of at most 16 MiB, the only kind that is taken")
    try:
        entries: Any = json.loads(file.read(length))
        notes: dict[str, str] = entries.pop("__metadata__", None) or {}
        shapes = {name: _shape_of(name, entry) for name, entry in entries.items()}
        num_bytes = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as exc:
        raise ValueError("is not a safetensors file, the only kind that is taken") from exc
    if _LENGTH_BYTES + length + num_bytes != file_bytes:
        raise ValueError(f"is cut off: its header tells of {num_bytes} bytes of tensors")
    return Header(shapes, notes, num_bytes)


def _shape_of(name: str, entry: Mapping[str, Any]) -> Shape:
    """A tensor's shape, after seeing that its bytes are as many as it says."""
    sides, (start, end) = entry["shape"], entry["data_offsets"]
    if len(name) > _MAX_NAME_CHARS or len(sides) > _MAX_SIDES or not all(map(_is_size, (*sides, start, end))):
        raise ValueError(name)
    dtype = _DTYPE.fullmatch(entry["dtype"])
    if dtype is None or (end - start) * 8 != math.prod(sides) * int(dtype[1] or 8):
        raise ValueError(name)
    return tuple(sides)


def _is_size(number: object) -> bool:
    return type(number) is int and 0 <= number <= _MAX_SIDE
