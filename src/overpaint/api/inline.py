"""Stored pictures inside JSON answers, as base64 or as data URIs."""

import base64
from dataclasses import dataclass

from overpaint.core.task import StoredFile
from overpaint.service.service import Service


@dataclass(frozen=True, slots=True)
class InlinePicture:
    """A picture as text."""

    media_type: str
    base64: str

    @property
    def data_uri(self) -> str:
        """``"data:image/png;base64,..."``."""
        return f"data:{self.media_type};base64,{self.base64}"


async def read_inline(service: Service, file: StoredFile) -> InlinePicture:
    """A stored picture as text.

    Raises:
        TaskNotFoundError: the file is gone.
        BackendError: the output store is out of reach.
    """
    content = await service.files.read(file.key)
    return InlinePicture(content.media_type, base64.b64encode(content.data).decode())
