"""Adapters that callers sent, as files an engine can open: named by their content, the oldest going for new ones.

A copy: what tasks need is in the output store, and comes from there again. Several processes may share a folder.
"""

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from overpaint.lora.folder import SUFFIX

_SPARED_S = 600.0
"""What was used this recently may be about to be opened."""
_LEFT_S = 3600.0
"""A file that is not whole after this long is what a process left that died."""
_PART = ".part"


class Arriving:
    """A file that comes in pieces.

    Args:
        path: where it is until it is whole.
        file: open for writing.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """SHA-256 in hex of what has come so far."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Take the next piece.

        Raises:
            OSError: it cannot be written.
        """
        self._hash.update(data)
        self._file.write(data)

    def flush(self) -> None:
        """See that what has come is on the disk: a file under its last name is never looked into again.

        Raises:
            OSError: it is not.
        """
        self._file.flush()
        os.fsync(self._file.fileno())


class AdapterCache:
    """A folder of files.

    Args:
        path: where; made when the first file comes.
        max_bytes: of all files together, but for those that are in use.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def find(self, digest: str) -> Path | None:
        """The file with this content, which then counts as just used; None when it is not here."""
        path = self._path / f"{digest}{SUFFIX}"
        try:
            os.utime(path)
        except OSError:
            return None
        return path

    @contextlib.contextmanager
    def arriving(self) -> Iterator[Arriving]:
        """A file that comes in pieces; when it is not kept, it is gone afterwards.

        Raises:
            OSError: it cannot be written.
        """
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path / f"{secrets.token_hex(8)}{_PART}"
        try:
            with path.open("xb") as file:
                yield Arriving(path, file)
        finally:
            path.unlink(missing_ok=True)

    def keep(self, arriving: Arriving) -> tuple[str, Path]:
        """Keep a file that has come whole; its SHA-256 in hex, and where it is.

        Raises:
            OSError: it cannot be written.
        """
        digest = arriving.digest
        if (path := self.find(digest)) is not None:
            return digest, path
        arriving.flush()
        path = arriving.path.replace(self._path / f"{digest}{SUFFIX}")
        self._evict()
        return digest, path

    def _evict(self) -> None:
        self._remove_left()
        files = sorted(self._files(SUFFIX))
        excess = sum(num_bytes for _, num_bytes, _ in files) - self._max_bytes
        for used_at, num_bytes, path in files:
            if excess <= 0 or used_at > time.time() - _SPARED_S:
                return
            path.unlink(missing_ok=True)
            excess -= num_bytes

    def _remove_left(self) -> None:
        for changed_at, _, path in self._files(_PART):
            if changed_at < time.time() - _LEFT_S:
                path.unlink(missing_ok=True)

    def _files(self, suffix: str) -> Iterator[tuple[float, int, Path]]:
        """When each was last used, its bytes and where it is; another process may take it away at any time."""
        for path in self._path.glob(f"*{suffix}"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                yield stat.st_mtime, stat.st_size, path
