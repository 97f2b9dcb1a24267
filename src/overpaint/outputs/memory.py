"""`OutputStore` in memory, for tests and for trying things out."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

from overpaint.core.errors import TaskNotFoundError
from overpaint.outputs.keys import require_key


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryOutputs:
    """Files in a dictionary.

    Args:
        now: tells the time of day, UTC; what `list_keys` goes by.
    """

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._files: dict[str, tuple[bytes, datetime]] = {}

    async def put(self, key: str, data: bytes, media_type: str) -> None:
        """Write a whole file."""
        del media_type
        self._files[require_key(key)] = (data, self._now())

    async def get(self, key: str) -> bytes:
        """Read a whole file; see `OutputStore.get`."""
        if key not in self._files:
            raise TaskNotFoundError(f"there is no file {key!r}")
        return self._files[key][0]

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

    async def list_keys(self, prefix: str, *, older_than: timedelta) -> AsyncIterator[str]:
        """Keys below a prefix that were written longer ago than that."""
        newest = self._now() - older_than
        below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        for key in sorted(key for key, (_, at) in self._files.items() if key.startswith(below) and at <= newest):
            yield key

    async def check(self) -> None:
        """Memory always takes another one."""
