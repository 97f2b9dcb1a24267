"""What the service needs from a place for files, as a Protocol. Adapters raise only errors of the tree."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file in a list."""

    key: str
    num_bytes: int


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is being read.

    Args:
        num_bytes: of all of it.
        pieces: of it, in order, each read when it is asked for; `BackendError` when it is out of reach by then.
    """

    num_bytes: int
    pieces: AsyncIterator[bytes]


class OutputStore(Protocol):
    """A place for files, named by key."""

    async def put(self, key: str, data: bytes, media_type: str) -> None:
        """Write a whole file; it is durable and complete, or not there.

        Raises:
            BackendError: no room, no access, out of reach.
        """
        ...

    async def put_file(self, key: str, path: Path, media_type: str) -> None:
        """Write a whole file, as `put` does, from one on the disk; however large, it is not held in memory.

        Raises:
            BackendError: as `put`, or `path` cannot be read.
        """
        ...

    async def get(self, key: str) -> bytes:
        """Read a whole file.

        Raises:
            TaskError: there is none.
        """
        ...

    def open(self, key: str) -> AbstractAsyncContextManager[OpenFile]:
        """Read a file piece by piece, however slowly.

        Raises:
            TaskError: there is none.
        """
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files; missing ones do not matter."""
        ...

    async def delete_old(self, key: str, *, older_than: timedelta) -> bool:
        """Remove a file if it was written longer ago than that; whether it was."""
        ...

    def list_files(self, prefix: str, *, older_than: timedelta | None = None) -> AsyncIterator[ListedFile]:
        """Files below a prefix: those that were written longer ago than that, or all.

        What others put there under names that are no keys is theirs, and not listed.
        """
        ...

    async def check(self) -> None:
        """See that files can be written now.

        Raises:
            BackendError: they cannot.
        """
        ...
