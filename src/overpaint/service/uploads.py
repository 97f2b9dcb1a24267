"""Uploads that are named later: each with an id, a file name and a time, to be listed, read and forgotten.

All three are in the key of the stored file, so there is no second record that could differ from it. Knows no HTTP.
"""

import posixpath
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from overpaint.core.errors import TaskNotFoundError
from overpaint.core.output_ports import ListedFile, OutputStore
from overpaint.core.task import StoredFile
from overpaint.service.caller import Caller
from overpaint.service.clock import ServiceClock
from overpaint.service.files import Files, uploads_of

MAX_NAME_CHARS = 100
_ID = re.compile(r"[0-9a-f]{32}")
_NAMED = "named/"
_KEY = re.compile(r"uploads/[^/]+/named/([0-9a-f]{32})/([^/]+)")
_TIME_DIGITS = 12
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload.

    Args:
        id: 32 lower-case hex digits.
        name: what its owner calls it, in plain characters.
        created_at: UTC.
        expires_at: when it is swept away.
        key: of the stored file.
        num_bytes: of the file.
    """

    id: str
    name: str
    created_at: datetime
    expires_at: datetime
    key: str
    num_bytes: int


class Uploads:
    """Keeps uploads.

    Args:
        files: judges and stores them.
        outputs: where they are.
        clock: tells the time.
        lifetime: how long they stay.
    """

    def __init__(self, files: Files, outputs: OutputStore, clock: ServiceClock, lifetime: timedelta) -> None:
        self._files = files
        self._outputs = outputs
        self._clock = clock
        self._lifetime = lifetime

    async def create(self, caller: Caller, data: bytes, name: str) -> tuple[Upload, StoredFile]:
        """Store a picture.

        Raises:
            PictureError: it is not a picture that Overpaint takes, or too large.
            BackendError: it cannot be stored now.
        """
        upload_id = f"{int(self._clock.now().timestamp() * 1000):0{_TIME_DIGITS}x}{secrets.token_hex(10)}"
        key = f"{_named_of(caller)}{upload_id}/{plain_name(name)}"
        stored = await self._files.upload(key, data, name)
        return self._upload(upload_id, plain_name(name), ListedFile(key, stored.num_bytes)), stored

    async def get(self, caller: Caller, upload_id: str) -> Upload:
        """One of the caller's uploads.

        Raises:
            TaskNotFoundError: there is none with this id (any more).
        """
        if _ID.fullmatch(upload_id):
            async for upload in self._below(f"{_named_of(caller)}{upload_id}/"):
                return upload
        raise TaskNotFoundError(f"there is no file {upload_id[:64]!a}")

    async def list_all(self, caller: Caller) -> list[Upload]:
        """The caller's uploads, newest first."""
        found = [upload async for upload in self._below(_named_of(caller))]
        return sorted(found, key=lambda upload: upload.id, reverse=True)

    async def delete(self, caller: Caller, upload_id: str) -> None:
        """Forget an upload; tasks that use it keep their copy.

        Raises:
            TaskNotFoundError: there is none with this id (any more).
        """
        await self._outputs.delete([(await self.get(caller, upload_id)).key])

    async def _below(self, prefix: str) -> AsyncIterator[Upload]:
        """In the order of the store; what a caller put there by a link is not among them, whatever it is called."""
        async for file in self._outputs.list_files(prefix):
            if found := _KEY.fullmatch(file.key):
                yield self._upload(found[1], found[2], file)

    def _upload(self, upload_id: str, name: str, file: ListedFile) -> Upload:
        created_at = datetime.fromtimestamp(int(upload_id[:_TIME_DIGITS], 16) / 1000, UTC)
        return Upload(upload_id, name, created_at, created_at + self._lifetime, file.key, file.num_bytes)


def _named_of(caller: Caller) -> str:
    return f"{uploads_of(caller)}{_NAMED}"


def plain_name(name: str) -> str:
    """A file name that any store, URL and header can hold, its ending kept."""
    plain = _ODD.sub("_", name.replace("\\", "/").rpartition("/")[2])
    stem, ending = posixpath.splitext(plain[-MAX_NAME_CHARS:])
    return (stem.lstrip("._") or "file") + ending
