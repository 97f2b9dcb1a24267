"""Uploads that arrive in parts, in any order and over several connections, and are put together at the end.

Each part is a file of its own with its content's hash in its name, so there is nothing else to remember; parts of an
upload that is never completed are swept like uploads. Knows no HTTP.
"""

import asyncio
import hashlib
from collections.abc import Sequence

from overpaint.core.errors import RequestError, TaskError
from overpaint.core.output_ports import OutputStore
from overpaint.core.task import StoredFile
from overpaint.service.files import Files, Intake

MAX_PARTS = 10_000


class Parts:
    """Keeps parts.

    Args:
        files: judges and stores what they make together.
        intake: where they go.
        outputs: where they wait.
        max_bytes: of all parts of an upload together.
    """

    def __init__(self, files: Files, intake: Intake, outputs: OutputStore, max_bytes: int) -> None:
        self._files = files
        self._intake = intake
        self._outputs = outputs
        self._max_bytes = max_bytes

    async def put(self, key: str, number: int, data: bytes) -> str:
        """Keep part `number` (from 1) of the upload `key`; returns its tag, to be given back at the end.

        Raises:
            RequestError: the number cannot be one, or its key has no room for it.
            BackendError: it cannot be stored now.
        """
        if not 1 <= number <= MAX_PARTS:
            raise RequestError("part", number, f"must be 1 to {MAX_PARTS}")
        tag = (await asyncio.to_thread(hashlib.sha256, data)).hexdigest()[:32]
        await self._intake.put(_part_key(key, number, tag), data, "application/octet-stream")
        return tag

    async def complete(self, key: str, parts: Sequence[tuple[int, str]], name: str = "file") -> StoredFile:
        """Put an upload together.

        Args:
            key: that was reserved for it.
            parts: number and tag of each, in any order.
            name: what its owner calls it.

        Raises:
            RequestError: a part is missing, they are too large together, or their key has no room for them once more.
            PictureError: they are no picture together.
            BackendError: the store is out of reach.
        """
        keys = [_part_key(key, number, tag) for number, tag in sorted(parts)]
        data = bytearray()
        for (number, _), part in zip(sorted(parts), keys, strict=True):
            try:
                data += await self._outputs.get(part)
            except TaskError as exc:
                raise RequestError("parts", number, "was not uploaded, or differently") from exc
            if len(data) > self._max_bytes:
                raise RequestError("parts", f"{len(data)} bytes", f"must be at most {self._max_bytes} together")
        stored = await self._files.upload(key, bytes(data), name)
        await self._outputs.delete(keys)
        return stored


def _part_key(key: str, number: int, tag: str) -> str:
    """Beside the upload, where no upload can be."""
    plain = "".join(char for char in tag if char in "0123456789abcdef")[:32]
    return f"{key}.parts/{number}/{plain or 'none'}"
