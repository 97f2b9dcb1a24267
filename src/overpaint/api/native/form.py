"""The body of a native submission, as JSON or as a form with files; both end as the same model."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from overpaint.api.body import read_body
from overpaint.api.errors import RouteError
from overpaint.api.json_body import parse_json, validated
from overpaint.api.native.schemas import TaskIn
from overpaint.core.errors import RequestError
from overpaint.core.request import MAX_PICTURES
from overpaint.service.draft import PictureBytes, PictureSource

_LISTS = ("images", "adapters")
_OUTPUT = ("format", "quality", "background")
_MAX_FIELDS = 64


@dataclass(frozen=True, slots=True)
class TaskBody:
    """A submission: its fields, and the pictures that came as parts of a form."""

    fields: TaskIn
    pictures: tuple[PictureSource, ...] = ()
    mask: PictureSource | None = None


async def read_task_body(request: Request, max_bytes: int) -> TaskBody:
    """Parse what was sent.

    Raises:
        RequestError: it is not JSON or a form, or a field has the wrong type.
        RouteError: it is of another media type.
    """
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return await _read_form(request)
    if media_type == "application/json" or media_type.endswith("+json"):
        return TaskBody(validated(TaskIn, parse_json(await read_body(request, max_bytes))))
    raise RouteError(415, f"{media_type} is not understood; send application/json or multipart/form-data")


async def _read_form(request: Request) -> TaskBody:
    try:
        async with request.form(max_files=MAX_PICTURES + 2, max_fields=_MAX_FIELDS) as form:
            pictures = tuple([await _picture(item) for item in form.getlist("images") if isinstance(item, UploadFile)])
            part = form.get("mask")
            mask = await _picture(part) if isinstance(part, UploadFile) else None
            return TaskBody(validated(TaskIn, _fields(form)), pictures, mask)
    except HTTPException as exc:
        raise RequestError("body", "form", f"cannot be read ({exc.detail})") from exc


def _fields(form: FormData) -> dict[str, Any]:
    """A form's texts as the JSON body would have them: lists gathered, the output's fields put in their place."""
    fields: dict[str, Any] = {}
    for name in dict.fromkeys(form.keys()):
        texts = [item for item in form.getlist(name) if isinstance(item, str)]
        if not texts:
            continue
        if name == "adapters":
            fields[name] = [parse_json(text.encode()) for text in texts]
        elif name in _LISTS:
            fields[name] = texts
        elif name in _OUTPUT:
            fields.setdefault("output", {})[name] = texts[-1]
        else:
            fields[name] = texts[-1]
    return fields


async def _picture(part: UploadFile) -> PictureSource:
    return PictureBytes(await part.read(), part.filename or "picture")
