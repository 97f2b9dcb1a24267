"""Files that callers bring and take: uploads in, pictures out. Knows the names of stored files and nothing of URLs."""

from dataclasses import dataclass, field

from overpaint.core.task import StoredFile
from overpaint.service.caller import Caller


@dataclass(frozen=True, slots=True)
class FileContent:
    """A stored file, whole."""

    data: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


class Files:
    """Uploads and downloads over the output store."""

    def reserve(self, caller: Caller) -> str:
        """A fresh, unguessable key for an upload of this caller (``"uploads/<key id>/<32 hex>"``)."""
        raise NotImplementedError

    async def upload(self, key: str, data: bytes, name: str = "file") -> StoredFile:
        """Store an upload under a reserved key.

        Raises:
            PictureError: it is not a picture that Overpaint takes, or too large.
            BackendError: it cannot be stored now.
        """
        raise NotImplementedError

    async def read(self, key: str) -> FileContent:
        """A whole file. Whoever calls this has checked that the reader may.

        Raises:
            TaskNotFoundError: there is none (any more).
        """
        raise NotImplementedError
