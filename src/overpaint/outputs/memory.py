"""`OutputStore` in memory, for tests and for trying things out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from overpaint.core.errors import BackendError, TaskNotFoundError
from overpaint.core.output_ports import ListedFile, OpenFile
from overpaint.outputs.keys import require_key


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryOutputs:
    """Files in a dictionary.

    Args:
        now: tells the time of day, UTC; what `list_files` goes by.
    """

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._files: dict[str, tuple[bytes, datetime]] = {}

    async def put(self, key: str, data: bytes, media_type: str) -> None:
        """Write a whole file."""
        del media_type
        self._files[require_key(key)] = (data, self._now())

    async def put_file(self, key: str, path: Path, media_type: str) -> None:
        """Write a whole file from one on the disk; here it is held in memory all the same."""
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except OSError as exc:
            raise BackendError(f"{path} cannot be read ({exc.strerror or exc})") from exc
        await self.put(key, data, media_type)

    async def get(self, key: str) -> bytes:
        """Read a whole file; see `OutputStore.get`."""
        if key not in self._files:
            raise TaskNotFoundError(f"there is no file {key!r}")
        return self._files[key][0]

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[OpenFile]:
        """Read a file; in one piece."""
        data = await self.get(key)
        yield OpenFile(len(data), _once(data))

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files; missing ones do not matter."""
        for key in keys:
            self._files.pop(key, None)

    async def delete_old(self, key: str, *, older_than: timedelta) -> bool:
        """Remove a file if it was written longer ago than that."""
        is_old = key in self._files and self._files[key][1] <= self._now() - older_than
        if is_old:
            del self._files[key]
        return is_old

    async def list_files(self, prefix: str, *, older_than: timedelta | None = None) -> AsyncIterator[ListedFile]:
        """Files below a prefix: those that were written longer ago than that, or all."""
        below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        for key, (data, at) in sorted(self._files.items()):
            if key.startswith(below) and (older_than is None or at <= self._now() - older_than):
                yield ListedFile(key, len(data))

    async def check(self) -> None:
        """Memory always takes another one."""


async def _once(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data
