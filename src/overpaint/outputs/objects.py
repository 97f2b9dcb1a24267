"""`OutputStore` over object storage: S3 and what speaks like it, Google Cloud Storage, Azure.

A put is one request, or parts that the last one makes a file, so a file is whole or not there; durability is the
storage's own promise once it has answered. What is read slowly is asked for piece by piece: a request has a time-out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore

from overpaint.core.errors import BackendError, TaskNotFoundError
from overpaint.core.output_ports import ListedFile, OpenFile
from overpaint.core.trouble import Trouble
from overpaint.outputs.keys import is_key, require_key

_log = logging.getLogger(__name__)
_PIECE_BYTES = 4 * 1024 * 1024
_PROBE = "probe/written"
_NO_BUCKET = "the bucket of the object storage does not exist"
# In the bodies of S3's and Google's answers, and of Azure's; no key can hold them.
_NO_BUCKET_CODES = ("<Code>NoSuchBucket</Code>", "<Code>ContainerNotFound</Code>")


class ObjectOutputs:
    """Files in object storage.

    Args:
        store: where; its prefix, time-outs and retries are its own.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._trouble = Trouble("object storage", _log)

    async def put(self, key: str, data: bytes, media_type: str) -> None:
        """Write a whole file; see `OutputStore.put`."""
        await self._put(require_key(key), data, media_type)

    async def put_file(self, key: str, path: Path, media_type: str) -> None:
        """Write a whole file from one on the disk; see `OutputStore.put_file`."""
        try:
            is_large = (await asyncio.to_thread(path.stat)).st_size > _PIECE_BYTES
        except OSError as exc:
            raise BackendError(f"{path} cannot be read ({exc.strerror or exc})") from exc
        await self._put(require_key(key), path, media_type, is_large=is_large)

    async def _put(self, key: str, data: bytes | Path, media_type: str, *, is_large: bool = False) -> None:
        try:
            with _mapped_failures(key, self._trouble):
                await obstore.put_async(
                    self._store, key, data, attributes={"Content-Type": media_type}, use_multipart=is_large
                )
        except TaskNotFoundError as exc:  # what is not there, when writing, is the bucket
            raise BackendError(_NO_BUCKET) from exc

    async def get(self, key: str) -> bytes:
        """Read a whole file; see `OutputStore.get`."""
        with _mapped_failures(key, self._trouble):
            answer = await obstore.get_async(self._store, require_key(key))
            return bytes(await answer.bytes_async())

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[OpenFile]:
        """Read a file piece by piece; see `OutputStore.open`."""
        with _mapped_failures(key, self._trouble):
            num_bytes = (await obstore.head_async(self._store, require_key(key)))["size"]
        yield OpenFile(num_bytes, self._pieces(key, num_bytes))

    async def _pieces(self, key: str, num_bytes: int) -> AsyncIterator[bytes]:
        for start in range(0, num_bytes, _PIECE_BYTES):
            end = min(start + _PIECE_BYTES, num_bytes)
            with _mapped_failures(key, self._trouble):
                piece = bytes(await obstore.get_range_async(self._store, key, start=start, end=end))
            yield piece

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files; missing ones do not matter."""
        for key in filter(is_key, keys):
            with _mapped_failures(key, self._trouble):
                try:
                    await obstore.delete_async(self._store, key)
                except (NotFoundError, FileNotFoundError):
                    continue

    async def delete_old(self, key: str, *, older_than: timedelta) -> bool:
        """Remove a file if it was written longer ago than that; see `OutputStore.delete_old`."""
        newest = datetime.now(UTC) - older_than
        try:
            with _mapped_failures(key, self._trouble):
                is_old = (await obstore.head_async(self._store, require_key(key)))["last_modified"] <= newest
        except TaskNotFoundError:
            return False
        if is_old:
            await self.delete([key])
        return is_old

    async def list_files(self, prefix: str, *, older_than: timedelta | None = None) -> AsyncIterator[ListedFile]:
        """Files below a prefix: those that were written longer ago than that, or all."""
        newest = None if older_than is None else datetime.now(UTC) - older_than
        with _mapped_failures(prefix, self._trouble):
            async for chunk in obstore.list(self._store, prefix.rstrip("/") or None):
                for entry in chunk:
                    if is_key(entry["path"]) and (newest is None or entry["last_modified"] <= newest):
                        yield ListedFile(entry["path"], entry["size"])

    async def check(self) -> None:
        """See that files can be written now."""
        await self.put(_PROBE, b"ok", "text/plain")


@contextmanager
def _mapped_failures(key: str, trouble: Trouble) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as exc:
        if any(code in str(exc) for code in _NO_BUCKET_CODES):  # its disk is gone: nothing in it is missing
            trouble.failed(_NO_BUCKET)
            raise BackendError(_NO_BUCKET) from exc
        raise TaskNotFoundError(f"there is no file {key!r}") from exc
    except (BaseError, OSError) as exc:
        reason = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
        trouble.failed(reason)
        raise BackendError(f"the object storage failed: {reason}") from exc
    trouble.worked()
