"""The body of a native submission, as JSON or as a form with files; both end as the same model."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request

from overpaint.api.body import read_body
from overpaint.api.errors import RouteError
from overpaint.api.form import FORM_TYPES, Form, media_type_of, read_form
from overpaint.api.json_body import parse_json, validated
from overpaint.api.native.schemas import TaskIn
from overpaint.core.errors import RequestError
from overpaint.service.draft import PictureSource

_LISTS = ("images", "adapters")
_FILES = ("images", "mask")
_OUTPUT = ("format", "quality", "background")


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
    media_type = media_type_of(request)
    if media_type in FORM_TYPES:
        form = await read_form(request)
        form.check_files(_FILES)
        return TaskBody(validated(TaskIn, _fields(form)), form.files.get("images", ()), form.file("mask"))
    if media_type == "application/json" or media_type.endswith("+json"):
        return TaskBody(validated(TaskIn, parse_json(await read_body(request, max_bytes))))
    raise RouteError(415, f"{media_type} is not understood; send application/json or multipart/form-data")


def _fields(form: Form) -> dict[str, Any]:
    """A form's texts as the JSON body would have them: lists gathered, the output's fields put in their place.

    Raises:
        RequestError: an adapter is not JSON, or the output is not said by its fields.
    """
    fields: dict[str, Any] = {"output": {}}
    for name, texts in form.texts.items():
        if name == "output":
            raise RequestError(name, texts[-1], f"is said in a form by {', '.join(_OUTPUT)}")
        if name == "adapters":
            fields[name] = [_adapter(text, f"adapters[{index}]") for index, text in enumerate(texts)]
        elif name in _LISTS:
            fields[name] = texts
        elif name in _OUTPUT:
            fields["output"][name] = texts[-1]
        else:
            fields[name] = texts[-1]
    return fields


def _adapter(text: str, field: str) -> Any:
    """One adapter of a form.

    Raises:
        RequestError: it is not JSON.
    """
    try:
        return parse_json(text.encode())
    except RequestError as exc:
        raise RequestError(field, text, 'must be JSON, such as {"source": "style", "scale": 0.8}') from exc
