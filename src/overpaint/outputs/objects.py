"""`OutputStore` over object storage: S3 and what speaks like it, Google Cloud Storage, Azure.

A put is one request, so a file is whole or not there; durability is the storage's own promise once it has answered.
"""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore

from overpaint.core.errors import BackendError, TaskNotFoundError
from overpaint.core.trouble import Trouble
from overpaint.outputs.keys import is_key, require_key

_log = logging.getLogger(__name__)
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
        require_key(key)
        try:
            with _mapped_failures(key, self._trouble):
                await obstore.put_async(
                    self._store, key, data, attributes={"Content-Type": media_type}, use_multipart=False
                )
        except TaskNotFoundError as exc:  # what is not there, when writing, is the bucket
            raise BackendError(_NO_BUCKET) from exc

    async def get(self, key: str) -> bytes:
        """Read a whole file; see `OutputStore.get`."""
        with _mapped_failures(key, self._trouble):
            answer = await obstore.get_async(self._store, require_key(key))
            return bytes(await answer.bytes_async())

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

    async def list_keys(self, prefix: str, *, older_than: timedelta) -> AsyncIterator[str]:
        """Keys below a prefix that were written longer ago than that."""
        newest = datetime.now(UTC) - older_than
        with _mapped_failures(prefix, self._trouble):
            async for chunk in obstore.list(self._store, prefix.rstrip("/") or None):
                for entry in chunk:
                    if is_key(entry["path"]) and entry["last_modified"] <= newest:
                        yield entry["path"]

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
