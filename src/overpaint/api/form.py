"""Multipart and URL-encoded forms: texts and files by field name. Knows no dialect's fields."""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from overpaint.api.body import check_plain
from overpaint.api.deps import get_config
from overpaint.api.errors import MissingFieldError, RouteError, UnknownFieldError
from overpaint.core.errors import RequestError
from overpaint.core.request import MAX_PICTURES
from overpaint.service.draft import PictureBytes

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
MAX_FILES = 2 * MAX_PICTURES + 2
MAX_FIELDS = 64
CHARSETS = frozenset({"utf-8", "ascii", "iso8859-1", "cp1252", "gb2312", "gbk", "gb18030", "big5"})
"""That texts may come in. Of what else Python knows, some take hours for a megabyte, and some end in an error."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form:
    """What a form held, in order, by field name."""

    texts: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[PictureBytes, ...]]

    def text(self, name: str) -> str | None:
        """The last text of a field; None when there is none."""
        return self.texts[name][-1] if name in self.texts else None

    def check_files(self, names: Sequence[str]) -> None:
        """See that no file came under another name than these: left out in silence, another picture would be painted.

        Raises:
            UnknownFieldError: one did.
        """
        for name, files in self.files.items():
            if name not in names:
                raise UnknownFieldError(name, files[0].name, f"is not taken: files are fields {', '.join(names)}")

    def file(self, name: str) -> PictureBytes | None:
        """The last file of a field; None when there is none."""
        return self.files[name][-1] if name in self.files else None

    def needed_file(self, name: str) -> PictureBytes:
        """The last file of a field that must have one.

        Raises:
            MissingFieldError: it has none.
        """
        file = self.file(name)
        if file is None:
            raise MissingFieldError(name)
        return file


def media_type_of(request: Request) -> str:
    """The media type of a request's body, without its parameters; JSON when it does not say."""
    return request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()


async def read_form(request: Request, max_text_bytes: int | None = None) -> Form:
    """Read a whole form.

    Args:
        request: that sends it.
        max_text_bytes: of one text; None lets it be as long as the body, because a picture may come as one.

    Raises:
        RouteError: it is compressed, in an odd character set, or JSON that says to be a form.
        BodyTooLargeError: it is larger than this server takes.
        RequestError: it is not one, or has too many parts.
    """
    check_plain(request)
    _check_charset(request)
    max_bytes = get_config(request).max_body_bytes if max_text_bytes is None else max_text_bytes
    try:
        async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=max_bytes) as form:
            names = tuple(dict.fromkeys(form.keys()))
            texts = {name: tuple(item for item in form.getlist(name) if isinstance(item, str)) for name in names}
            files = {name: await _files(form, name) for name in names}
    except HTTPException as exc:
        raise RequestError("body", "form", f"cannot be read ({exc.detail})") from exc
    _check_is_form(names)
    return Form(
        {name: some for name, some in texts.items() if some}, {name: some for name, some in files.items() if some}
    )


def described_form(file: str, *texts: str) -> dict[str, Any]:
    """``openapi_extra`` of a route that reads a form with a file, and texts that may be left out."""
    properties = {file: {"type": "string", "format": "binary"}} | {name: {"type": "string"} for name in texts}
    schema = {"type": "object", "required": [file], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def _check_charset(request: Request) -> None:
    """See that texts are in a character set for texts.

    Raises:
        RouteError: they are said to be in another one.
    """
    _, parameters = parse_options_header(request.headers.get("content-type", ""))
    name = parameters.get(b"charset", b"utf-8").decode("latin-1")
    try:
        is_known = codecs.lookup(name).name in CHARSETS
    except (LookupError, ValueError):
        is_known = False
    if not is_known:
        raise RouteError(415, f"a form with charset={name[:20]} is not understood; send it in UTF-8")


def _check_is_form(names: Sequence[str]) -> None:
    """Tell JSON that was sent under the media type that `curl -d` says where nobody says another.

    Raises:
        RouteError: it was.
    """
    if names and names[0].lstrip().startswith(("{", "[")):
        raise RouteError(415, "the body is JSON, sent as a form; send it with Content-Type: application/json")


async def _files(form: FormData, name: str) -> tuple[PictureBytes, ...]:
    """A page sends a file field that was left empty as a file without a name and without bytes: that is none."""
    parts = [item for item in form.getlist(name) if isinstance(item, UploadFile)]
    sent = [part for part in parts if part.filename or part.size]
    return tuple([PictureBytes(await part.read(), part.filename or "picture") for part in sent])
