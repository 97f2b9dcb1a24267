"""What a file may be called, the same in every place for files."""

import re

from overpaint.core.errors import TaskNotFoundError

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


def is_key(key: str) -> bool:
    """Whether `key` can name a file: plain segments, none hidden, no way up or out."""
    return len(key) <= 512 and _KEY.fullmatch(key) is not None


def require_key(key: str) -> str:
    """Return `key` when it can name a file.

    Raises:
        TaskNotFoundError: it cannot, so there is no such file either.
    """
    if not is_key(key):
        raise TaskNotFoundError(f"there is no file {key!r}")
    return key
