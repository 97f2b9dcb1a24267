"""Adapters that callers sent, as files an engine can open: named by their content, the oldest going for new ones.

A copy: what tasks need is in the output store, and comes from there again. Several processes may share a folder.
"""

import contextlib
import hashlib
import os
import secrets
import time
from pathlib import Path

from overpaint.lora.folder import SUFFIX

_SPARED_S = 600.0
"""What was used this recently may be about to be opened."""


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

    def put(self, data: bytes) -> tuple[str, Path]:
        """Keep a file; its SHA-256 in hex, and where it is.

        Raises:
            OSError: it cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        if (path := self.find(digest)) is not None:
            return digest, path
        self._path.mkdir(parents=True, exist_ok=True)
        path = self._path / f"{digest}{SUFFIX}"
        part = path.with_suffix(f".{secrets.token_hex(4)}.part")
        part.write_bytes(data)
        part.replace(path)
        self._evict()
        return digest, path

    def _evict(self) -> None:
        files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in self._path.glob(f"*{SUFFIX}"))
        excess = sum(num_bytes for _, num_bytes, _ in files) - self._max_bytes
        for used_at, num_bytes, path in files:
            if excess <= 0 or used_at > time.time() - _SPARED_S:
                return
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            excess -= num_bytes
