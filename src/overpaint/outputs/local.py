"""`OutputStore` in a folder.

A file is written beside the others, flushed to the disk and renamed into place, and the folder is flushed after it: a
crash or a power cut leaves the file as it was before, or whole. obstore's own local writer does not flush, so writing
is done here. Nothing remembers the media type: whoever reads knows it from the task.

A folder that was there and is gone (an unmounted disk) is out of reach, and not empty: nothing is missing in it,
and no other one is made in its place.
"""

import asyncio
import errno
import logging
import math
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from overpaint.core.errors import BackendError, TaskNotFoundError
from overpaint.core.output_ports import ListedFile, OpenFile
from overpaint.core.trouble import Trouble
from overpaint.outputs.keys import is_key, require_key

_log = logging.getLogger(__name__)
#: Hidden, so that no key can name it and no listing shows it.
_INCOMING = ".incoming"
_STALE_S = 3600
_NUM_TRIES = 5
_PIECE_BYTES = 1024 * 1024
_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalOutputs:
    """Files below a folder.

    Args:
        root: the folder; made when missing, on the first write.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._was_there = False
        self._trouble = Trouble("output folder", _log)

    async def put(self, key: str, data: bytes, media_type: str) -> None:
        """Write a whole file; see `OutputStore.put`."""
        del media_type
        await asyncio.to_thread(self._write, require_key(key), lambda file: file.write(data))

    async def put_file(self, key: str, path: Path, media_type: str) -> None:
        """Write a whole file from one on the disk; see `OutputStore.put_file`."""
        del media_type
        await asyncio.to_thread(self._copy, require_key(key), path)

    async def get(self, key: str) -> bytes:
        """Read a whole file; see `OutputStore.get`."""
        return await asyncio.to_thread(self._read, require_key(key))

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[OpenFile]:
        """Read a file piece by piece, to its end even when it is removed meanwhile; see `OutputStore.open`."""
        with await asyncio.to_thread(self._open, require_key(key)) as file:
            yield OpenFile(os.fstat(file.fileno()).st_size, self._pieces(key, file))

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files; missing ones do not matter."""
        await asyncio.to_thread(self._remove, [key for key in keys if is_key(key)])

    async def delete_old(self, key: str, *, older_than: timedelta) -> bool:
        """Remove a file if it was written longer ago than that; see `OutputStore.delete_old`."""
        newest_s = time.time() - older_than.total_seconds()
        return await asyncio.to_thread(self._remove_old, require_key(key), newest_s)

    async def list_files(self, prefix: str, *, older_than: timedelta | None = None) -> AsyncIterator[ListedFile]:
        """Files below a prefix: those that were written longer ago than that, or all."""
        newest_s = math.inf if older_than is None else time.time() - older_than.total_seconds()
        for file in await asyncio.to_thread(self._list, prefix, newest_s):
            yield file

    async def check(self) -> None:
        """See that files can be written now; clears what interrupted writes left."""
        await asyncio.to_thread(self._check)

    def _copy(self, key: str, path: Path) -> None:
        try:
            source = path.open("rb")
        except OSError as exc:
            raise BackendError(f"{path} cannot be read ({exc.strerror or exc})") from exc
        with source:
            self._write(key, lambda file: shutil.copyfileobj(source, file, _PIECE_BYTES))

    def _write(self, key: str, fill: Callable[[BinaryIO], object]) -> None:
        with _mapped_failures(key, self._trouble):
            target = self._root / key
            draft = self._draft(fill)
            try:
                self._name(draft, target)
            except OSError:
                draft.unlink(missing_ok=True)
                raise

    def _name(self, draft: Path, target: Path) -> None:
        for _ in range(_NUM_TRIES):
            self._make_folder(target.parent)
            # Who removes the last other file of the folder meanwhile removes the folder too.
            with suppress(FileNotFoundError):
                draft.replace(target)
                _flush_folder(target.parent)
                return
        raise OSError(errno.EBUSY, f"the folder {target.parent} keeps being removed")

    def _draft(self, fill: Callable[[BinaryIO], object]) -> Path:
        """A flushed file that has no name of its own yet."""
        folder = self._root / _INCOMING
        if not self._was_there:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)  # closed to other users, where it is ours to say
            folder.mkdir(exist_ok=True)
            self._was_there = True
        draft = folder / secrets.token_hex(16)
        try:
            with draft.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return draft

    def _make_folder(self, folder: Path) -> None:
        """Make `folder` durably: a new folder is an entry of its parent, and that needs flushing too."""
        if folder.is_dir():
            return
        if folder != self._root:
            self._make_folder(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        _flush_folder(folder.parent)

    def _read(self, key: str) -> bytes:
        with self._open(key) as file, _mapped_failures(key, self._trouble):
            return file.read()

    def _open(self, key: str) -> BinaryIO:
        with _mapped_failures(key, self._trouble):
            try:
                return (self._root / key).open("rb")
            except _MISSING as exc:
                self._require_folder()
                raise TaskNotFoundError(f"there is no file {key!r}") from exc

    async def _pieces(self, key: str, file: BinaryIO) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self._next, key, file):
            yield piece

    def _next(self, key: str, file: BinaryIO) -> bytes:
        with _mapped_failures(key, self._trouble):
            return file.read(_PIECE_BYTES)

    def _require_folder(self) -> None:
        if self._was_there and not (self._root / _INCOMING).is_dir():
            raise OSError(errno.ENOENT, "the folder is gone")

    def _remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            with _mapped_failures(key, self._trouble), suppress(FileNotFoundError, NotADirectoryError):
                path = self._root / key
                path.unlink()
                # The folder of a task goes with its last file; one that is not empty stays.
                with suppress(OSError):
                    path.parent.rmdir()

    def _remove_old(self, key: str, newest_s: float) -> bool:
        with _mapped_failures(key, self._trouble), suppress(FileNotFoundError, NotADirectoryError):
            if (self._root / key).stat().st_mtime <= newest_s:
                self._remove([key])
                return True
        return False

    def _list(self, prefix: str, newest_s: float) -> list[ListedFile]:
        with _mapped_failures(prefix, self._trouble):
            start = self._root / prefix.strip("/") if prefix.strip("/") else self._root
            return sorted(self._files_below(start, newest_s), key=lambda file: file.key)

    def _files_below(self, folder: Path, newest_s: float) -> Iterator[ListedFile]:
        for parent, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(parent) / name
                key = path.relative_to(self._root).as_posix()
                with suppress(FileNotFoundError):
                    if is_key(key) and (stat := path.stat()).st_mtime <= newest_s:
                        yield ListedFile(key, stat.st_size)

    def _check(self) -> None:
        with _mapped_failures(_INCOMING, self._trouble):
            self._draft(lambda file: file.write(b"ok")).unlink()
            for draft in (self._root / _INCOMING).iterdir():
                with suppress(FileNotFoundError):
                    if draft.stat().st_mtime < time.time() - _STALE_S:
                        draft.unlink()


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _mapped_failures(key: str, trouble: Trouble) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        reason = "no space is left" if exc.errno == errno.ENOSPC else exc.strerror or str(exc)
        trouble.failed(reason)
        raise BackendError(f"the output folder failed at {key}: {reason}") from exc
    trouble.worked()
