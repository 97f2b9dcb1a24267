"""Files that callers bring and take: uploads in, pictures out. Knows the names of stored files and nothing of URLs."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from overpaint.core.errors import PictureError, TaskError, TaskNotFoundError
from overpaint.core.output_ports import OutputStore
from overpaint.core.task import StoredFile
from overpaint.images.header import Header, read_format, read_header
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


@dataclass(frozen=True, slots=True)
class FileStream:
    """A stored file, piece by piece."""

    num_bytes: int
    media_type: str
    pieces: AsyncIterator[bytes]


class Intake(Protocol):
    """Where uploads go."""

    async def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store one.

        Raises:
            RequestError: its key has no room for it.
            BackendError: it cannot be stored now.
        """
        ...


class Files:
    """Uploads and downloads over the output store.

    Args:
        outputs: the store.
        limits: bounds on an upload.
        intake: where uploads go on their way into the store; None is the store itself.
    """

    def __init__(self, outputs: OutputStore, limits: PictureLimits | None = None, intake: Intake | None = None) -> None:
        self._outputs = outputs
        self._limits = limits or PictureLimits()
        self._intake = intake or outputs

    def reserve(self, caller: Caller) -> str:
        """A fresh, unguessable key for an upload of this caller (``"uploads/<key id>/<32 hex>"``)."""
        return f"{uploads_of(caller)}{secrets.token_hex(16)}"

    async def upload(self, key: str, data: bytes, name: str = "file") -> StoredFile:
        """Store a picture, or a LoRA file, whose sides are 0, under a reserved key.

        Raises:
            PictureError: it is not a picture that Overpaint takes, or too large.
            RequestError: its key has no room for it.
            BackendError: it cannot be stored now.
        """
        if looks_like_safetensors(data[:_SNIFFED_BYTES]) and len(data) <= self._limits.max_bytes:
            stored = StoredFile(key, OTHER_MEDIA_TYPE, len(data), 0, 0)
            await self._intake.put(key, data, OTHER_MEDIA_TYPE)
            return stored
        header = await asyncio.to_thread(_judge, data, name, self._limits)
        stored = StoredFile(key, MEDIA_TYPES[header.format], len(data), header.width, header.height)
        await self._intake.put(key, data, stored.media_type)
        return stored

    async def read(self, key: str) -> FileContent:
        """A whole file. Whoever calls this has checked that the reader may.

        Raises:
            TaskNotFoundError: there is none (any more).
        """
        try:
            data = await self._outputs.get(key)
        except TaskError as exc:
            raise _no_such_file() from exc
        return FileContent(data, media_type_of(data))

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[FileStream]:
        """A file for somebody who takes it as slowly as it goes; see `read`."""
        async with AsyncExitStack() as opened:
            try:
                file = await opened.enter_async_context(self._outputs.open(key))
                first = await anext(file.pieces, b"")
            except TaskError as exc:
                raise _no_such_file() from exc
            yield FileStream(file.num_bytes, media_type_of(first), _from(first, file.pieces))


def uploads_of(caller: Caller) -> str:
    """What the keys of a caller's uploads begin with."""
    return f"{UPLOADS}{caller.key_id}/"


def input_key(data: bytes) -> str:
    """The key of an input: by its content, so that the same picture is stored once."""
    return f"{INPUTS}{hashlib.sha256(data).hexdigest()}"


def media_type_of(data: bytes) -> str:
    """By how it begins; pictures only."""
    picture_format = read_format(data)
    return MEDIA_TYPES[picture_format] if picture_format else OTHER_MEDIA_TYPE


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


def _no_such_file() -> TaskNotFoundError:
    return TaskNotFoundError("there is no such file")


async def _from(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in others:
        yield piece
