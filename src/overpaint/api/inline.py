"""Stored pictures inside JSON answers, as base64 or as data URIs."""

import asyncio
import base64
from dataclasses import dataclass

from overpaint.api.deps import Call
from overpaint.core.picture import Picture
from overpaint.core.request import OutputSpec
from overpaint.core.task import StoredFile, Task
from overpaint.images.encode import encode
from overpaint.service.service import Service

_LOOK = OutputSpec(format="webp", quality=70)


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


async def look_uri(picture: Picture) -> str:
    """A rough look that is stored nowhere, as a data URI of a small WebP file."""
    data = await asyncio.to_thread(encode, picture, _LOOK)
    return InlinePicture("image/webp", base64.b64encode(data).decode()).data_uri


async def outputs_of(task: Task, call: Call, *, is_inline: bool) -> list[str]:
    """A task's pictures as an answer names them: by their links, or, inline, as data URIs.

    Raises:
        TaskNotFoundError: a file is gone.
        BackendError: the output store is out of reach.
    """
    if not is_inline:
        return [call.links.file(output.file) for output in task.outputs]
    return [(await read_inline(call.service, output.file)).data_uri for output in task.outputs]
