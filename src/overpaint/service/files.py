"""Files that callers bring and take: uploads in, pictures out. Knows the names of stored files and nothing of URLs."""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, field

from overpaint.core.errors import PictureError, TaskError, TaskNotFoundError
from overpaint.core.store_ports import OutputStore
from overpaint.core.task import StoredFile
from overpaint.images.header import Header, read_header
from overpaint.images.limits import PictureLimits
from overpaint.lora.header import looks_like_safetensors
from overpaint.service.caller import Caller

UPLOADS = "uploads/"
INPUTS = "inputs/"
OUTPUTS = "outputs/"
OTHER_MEDIA_TYPE = "application/octet-stream"
_SNIFFED_BYTES = 16
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}


@dataclass(frozen=True, slots=True)
class FileContent:
    """A stored file, whole."""

    data: bytes = field(repr=False)
    media_type: str = OTHER_MEDIA_TYPE


class Files:
    """Uploads and downloads over the output store.

    Args:
        outputs: the store.
        limits: bounds on an upload.
    """

    def __init__(self, outputs: OutputStore, limits: PictureLimits | None = None) -> None:
        self._outputs = outputs
        self._limits = limits or PictureLimits()

    def reserve(self, caller: Caller) -> str:
        """A fresh, unguessable key for an upload of this caller (``"uploads/<key id>/<32 hex>"``)."""
        return f"{uploads_of(caller)}{secrets.token_hex(16)}"

    async def upload(self, key: str, data: bytes, name: str = "file") -> StoredFile:
        """Store a picture, or a LoRA file, whose sides are 0, under a reserved key.

        Raises:
            PictureError: it is not a picture that Overpaint takes, or too large.
            BackendError: it cannot be stored now.
        """
        if looks_like_safetensors(data[:_SNIFFED_BYTES]) and len(data) <= self._limits.max_bytes:
            stored = StoredFile(key, OTHER_MEDIA_TYPE, len(data), 0, 0)
            await self._outputs.put(key, data, OTHER_MEDIA_TYPE)
            return stored
        header = await asyncio.to_thread(_judge, data, name, self._limits)
        stored = StoredFile(key, MEDIA_TYPES[header.format], len(data), header.width, header.height)
        await self._outputs.put(key, data, stored.media_type)
        return stored

    async def read(self, key: str) -> FileContent:
        """A whole file. Whoever calls this has checked that the reader may.

        Raises:
            TaskNotFoundError: there is none (any more).
        """
        try:
            data = await self._outputs.get(key)
        except TaskError as exc:
            raise TaskNotFoundError("there is no such file") from exc
        return FileContent(data, media_type_of(data))


def uploads_of(caller: Caller) -> str:
    """What the keys of a caller's uploads begin with."""
    return f"{UPLOADS}{caller.key_id}/"


def input_key(data: bytes) -> str:
    """The key of an input: by its content, so that the same picture is stored once."""
    return f"{INPUTS}{hashlib.sha256(data).hexdigest()}"


def media_type_of(data: bytes) -> str:
    """By content; pictures only."""
    try:
        header = read_header(data)
    except ValueError:
        header = None
    return MEDIA_TYPES[header.format] if header else OTHER_MEDIA_TYPE


def _judge(data: bytes, name: str, limits: PictureLimits) -> Header:
    """The header of an upload that may be stored; decoding waits until somebody uses it."""
    try:
        header = read_header(data)
    except ValueError as exc:
        raise PictureError("file", name, "is damaged or cut off and cannot be read") from exc
    if header is None:
        raise PictureError("file", name, "must be a JPEG, PNG, WebP or GIF picture")
    rule = limits.broken_by_bytes(len(data)) or limits.broken_by_sides(header.width, header.height)
    if rule:
        raise PictureError("file", name, rule)
    return header
