"""The adapters at hand: every safetensors file in a folder of the operator's, by name; and any one file by its path.

Names are paths below the folder without their ending (``style``, ``acme/style``), so that a hub's repository, fetched
into the folder under its own id, is found by that id. Knows no server and no checkpoint.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from overpaint.core.errors import ConfigError, RequestError
from overpaint.core.request import AdapterFile, AdapterRef
from overpaint.lora.header import read_header

SUFFIX = ".safetensors"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file's content, and what it looked like when that was read."""

    num_bytes: int
    changed_ns: int
    digest: str


class AdapterFolder:
    """A folder of LoRA files; files may come and go at any time.

    Args:
        path: it; None holds nothing.

    Raises:
        ConfigError: it is not a folder.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None and not path.is_dir():
            raise ConfigError(f"adapters: '{path}' is not a folder")
        self._path = path
        self._seen: dict[Path, _Seen] = {}

    def names(self) -> tuple[str, ...]:
        """What can be asked for, in order."""
        return tuple(sorted(self._files()))

    def find(self, ref: AdapterRef) -> Path | None:
        """The file that a caller means; None when there is none of that name.

        A folder's own name stands for its file when it has one only, or for the one named by `weight_name`.
        """
        files = self._files()
        inner = f"{ref.source}/{(ref.weight_name or '').removesuffix(SUFFIX)}"
        if inner in files:
            return files[inner]
        if ref.source in files:
            return files[ref.source]
        below = [path for name, path in files.items() if name.startswith(f"{ref.source}/")]
        return below[0] if len(below) == 1 and ref.weight_name is None else None

    def name_of(self, path: Path) -> str:
        """What a file of this folder is called."""
        assert self._path is not None, path
        return path.relative_to(self._path).as_posix().removesuffix(SUFFIX)

    def digest(self, path: Path) -> str:
        """SHA-256 of a file's content in hex, read again only when the file has changed.

        Raises:
            OSError: it cannot be read.
        """
        stat = path.stat()
        seen = self._seen.get(path)
        if seen is None or (seen.num_bytes, seen.changed_ns) != (stat.st_size, stat.st_mtime_ns):
            seen = self._seen[path] = _Seen(stat.st_size, stat.st_mtime_ns, digest_of(path))
        return seen.digest

    def _files(self) -> dict[str, Path]:
        found = _files_below(self._path) if self._path else ()
        return {self.name_of(path): path for path in found}


def _files_below(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Also through links to other folders, but for those that lead back to where they are."""
    real = os.path.realpath(folder)
    if real in above:
        return
    with contextlib.suppress(
        FileNotFoundError, PermissionError
    ):  # it may go at any time; what is closed is not offered
        for path in folder.iterdir():
            if path.is_dir():
                yield from _files_below(path, above | {real})
            elif path.suffix == SUFFIX and path.is_file():
                yield path


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content in hex.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def open_file(path: Path, scale: float, field: str) -> AdapterFile:
    """A LoRA file by its path, for who may name any file of this machine.

    Raises:
        RequestError: it is not there, or no safetensors file.
    """
    try:
        read_header(path)
        return AdapterFile(path.stem, digest_of(path), str(path.resolve()), scale)
    except ValueError as exc:
        raise RequestError(field, str(path), str(exc)) from exc
    except OSError as exc:
        raise RequestError(field, str(path), f"cannot be read ({exc.strerror or exc})") from exc


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
