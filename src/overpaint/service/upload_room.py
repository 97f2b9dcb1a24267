"""How much a key may have uploaded at once.

What counts is what lies in the store at that moment, so it holds over restarts, for all servers over one store, and
there is no second record that could differ. Knows the names of uploads, and no HTTP.
"""

from collections.abc import Awaitable, Callable

from overpaint.core.account import ApiKey
from overpaint.core.errors import RequestError
from overpaint.core.output_ports import OutputStore
from overpaint.images.limits import MIB
from overpaint.service.files import UPLOADS

LEAST_BYTES = 4096
"""What the smallest file counts: a disk gives it no less, and countless empty ones would fill it too."""


class UploadRoom:
    """Stores uploads of keys that have room for them.

    Args:
        outputs: where they lie.
        find_key: the key with an id.
        default_mib: for keys without a limit of their own; None is no limit.
    """

    def __init__(
        self, outputs: OutputStore, find_key: Callable[[str], Awaitable[ApiKey | None]], default_mib: int | None = None
    ) -> None:
        self._outputs = outputs
        self._find_key = find_key
        self._default_mib = default_mib

    async def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store an upload, or a part of one; what is there under its name makes room for it.

        Raises:
            RequestError: its key has no room for it.
            BackendError: it cannot be stored now.
        """
        owner_id = key.removeprefix(UPLOADS).partition("/")[0]
        limit_mib = await self._limit_mib(owner_id)
        if limit_mib is None:
            await self._outputs.put(key, data, media_type)
            return
        await self._check(owner_id, key, len(data), limit_mib)
        await self._outputs.put(key, data, media_type)
        try:
            await self._check(owner_id, key, len(data), limit_mib)  # of those that came at once, each sees the others
        except RequestError:
            await self._outputs.delete([key])
            raise

    async def _limit_mib(self, owner_id: str) -> int | None:
        owner = await self._find_key(owner_id)
        own = owner.limits.max_upload_mib if owner else None
        return self._default_mib if own is None else own

    async def _check(self, owner_id: str, key: str, num_bytes: int, limit_mib: int) -> None:
        files = self._outputs.list_files(f"{UPLOADS}{owner_id}/")
        left = limit_mib * MIB - sum([max(LEAST_BYTES, file.num_bytes) async for file in files if file.key != key])
        if max(LEAST_BYTES, num_bytes) > left:
            rule = (
                f"must fit in what is left of the {limit_mib} MiB that this key may have uploaded at once, "
                f"{max(0, left) / MIB:.1f} MiB; delete uploads, or wait until they expire"
            )
            raise RequestError("file", f"{num_bytes / MIB:.1f} MiB", rule)
