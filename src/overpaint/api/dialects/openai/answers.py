"""OpenAI's answers about painted tasks, as JSON with every value resolved, or as files; and its refusals, described."""

import base64
import io
import zipfile
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from overpaint.api.deps import Call
from overpaint.api.described import STREAM, picture_answer
from overpaint.api.dialects.openai.convert import Wanted, to_answer
from overpaint.api.dialects.openai.schemas import Image, ImagesAnswer
from overpaint.core.task import Task
from overpaint.images.alpha import has_alpha
from overpaint.service.files import FileContent

VERSION = "2020-10-01"
PAINTED = picture_answer("The pictures: in JSON, as a file or a zip archive, or as events.", "application/zip", STREAM)


class RefusalBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    error: RefusalBody


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "A parameter is missing, unknown or cannot be used; `param` names it."},
    401: {"model": Refusal, "description": "No key, or not one of this server."},
    404: {"model": Refusal, "description": "No such model, file or picture."},
    409: {"model": Refusal, "description": "It was cancelled, or the idempotency key is another request's."},
    413: {"model": Refusal, "description": "Too large."},
    429: {"model": Refusal, "description": "Too many requests (see Retry-After), or the key's budget is spent."},
    500: {"model": Refusal, "description": "It could not be painted."},
    503: {"model": Refusal, "description": "Not now; see Retry-After."},
    504: {"model": Refusal, "description": "Not in time; the same request sent again is given the running one."},
}


async def as_json(call: Call, response: Response, task: Task, wanted: Wanted) -> ImagesAnswer:
    """The pictures inside JSON, as base64 or as links."""
    contents = [await call.service.files.read(output.file.key) for output in task.outputs]
    if wanted.response_format == "url":
        images = [Image(url=call.links.file(output.file)) for output in task.outputs]
    else:
        images = [Image(b64_json=to_base64(content)) for content in contents]
    response.headers["openai-version"] = VERSION
    if task.timings:
        response.headers["openai-processing-ms"] = str(round(task.timings.total_s * 1000))
    return to_answer(task, wanted, images, is_transparent=has_alpha(contents[0].data))


async def as_files(call: Call, task: Task) -> Response:
    """The picture itself, or all of them in a zip archive."""
    suffix = task.spec.output.format
    contents = [await call.service.files.read(output.file.key) for output in task.outputs]
    if len(contents) == 1:
        return _attachment(contents[0].data, contents[0].media_type, f"image.{suffix}")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for index, content in enumerate(contents):
            archive.writestr(f"image_{index}.{suffix}", content.data)
    return _attachment(buffer.getvalue(), "application/zip", "images.zip")


def to_base64(content: FileContent) -> str:
    """A file as text."""
    return base64.b64encode(content.data).decode()


def _attachment(data: bytes, media_type: str, name: str) -> Response:
    return Response(data, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
