"""A request's body, JSON or a form with files: its fields as one model, and the pictures in the order they count.

Forms write lists as ``image[]``, mappings as ``lora[path]``, and everything as text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from overpaint.api.body import read_body
from overpaint.api.deps import Call
from overpaint.api.dialects.openai.files import file_source
from overpaint.api.dialects.openai.schemas import ImageInput, PictureRef, PictureText
from overpaint.api.errors import MissingFieldError, RouteError
from overpaint.api.form import FORM_TYPES, Form, media_type_of, read_form
from overpaint.api.json_body import parse_json, validated
from overpaint.api.json_lists import listed, one_or_listed
from overpaint.core.errors import RequestError
from overpaint.service.draft import PictureSource, picture_source

_PICTURES = ("image", "images", "url")
_FILES = ("image", "image[]", "images", "images[]")
_MASKS = ("mask", "mask_image")
_MERGED = ("extra_params", "extra_body", "extra_json", "extra_args")
"""Objects whose fields count as the body's own; SGLang's and vLLM-Omni's users put theirs there."""


@dataclass(frozen=True, slots=True)
class ImageBody:
    """What was sent.

    Args:
        fields: all but files.
        pictures: files first, then those named by text.
        mask: in the field `mask`.
        mask_image: in the field `mask_image`.
    """

    fields: ImageInput
    pictures: tuple[PictureSource, ...]
    mask: PictureSource | None
    mask_image: PictureSource | None


async def read_image_body(call: Call) -> ImageBody:
    """Parse a body.

    Raises:
        RequestError: it is not JSON or a form, or a field has the wrong type or is not known.
        RouteError: it is of another media type.
    """
    media_type = media_type_of(call.request)
    if media_type in FORM_TYPES:
        form = await read_form(call.request)
        return await _gather(call, validated(ImageInput, _flat(form_fields(form))), form)
    if media_type == "application/json" or media_type.endswith("+json"):
        fields = parse_json(await read_body(call.request, call.config.max_body_bytes))
        return await _gather(call, validated(ImageInput, _flat(fields)), Form({}, {}))
    raise RouteError(415, f"{media_type} is not understood; send application/json or multipart/form-data")


def form_fields(form: Form) -> dict[str, Any]:
    """A form's texts as a JSON body would have them.

    Raises:
        RequestError: a field comes as a text and as an object, or is not the JSON it looks like.
    """
    fields: dict[str, Any] = {}
    objects = {stem for stem, _, key in map(_parted, form.texts) if key}
    for name in form.texts:
        texts = list(form.texts[name])
        stem, bracket, key = _parted(name)
        if stem in objects and not key:
            raise RequestError(name, texts[-1], f"does not go together with {stem}[...]")
        if key:
            cast("dict[str, Any]", fields.setdefault(stem, {}))[key] = texts[-1]
        elif stem in _PICTURES:
            fields[stem] = [*fields.get(stem, []), *texts]
        elif bracket or len(texts) > 1:
            fields[stem] = texts
        else:
            fields[stem] = _structured(texts[-1]) if stem in ("lora", "seed", *_MERGED) else texts[-1]
    return {name: value for name, value in fields.items() if value != ""}


def _parted(name: str) -> tuple[str, str, str]:
    """``"lora[path]"`` is ``("lora", "[", "path")``, and ``"image[]"`` is ``("image", "[", "")``."""
    stem, bracket, key = name.partition("[")
    return stem, bracket, key.rstrip("]")


def _structured(text: str) -> Any:
    """An object or a list that came as text."""
    return parse_json(text.encode()) if text.lstrip()[:1] in ("{", "[") else text


def _flat(fields: Any) -> Any:
    """The fields of inner objects as the body's own; what stands outside goes first."""
    if not isinstance(fields, dict):
        return fields
    body = dict(cast("dict[str, Any]", fields))
    for name in _MERGED:
        inner = body.pop(name, None)
        if inner is not None and not isinstance(inner, Mapping):
            raise RequestError(name, inner, "must be an object")
        body = dict(cast("Mapping[str, Any]", inner or {})) | body
    return body


async def _gather(call: Call, body: ImageInput, form: Form) -> ImageBody:
    form.check_files((*_FILES, *_MASKS))
    sent = [one_or_listed(name.removesuffix("[]"), form.files.get(name, ())) for name in _FILES]
    files = [replace(file, called=field) for some in sent for field, file in some]
    texts = [*one_or_listed("image", body.image), *listed("images", body.images), *one_or_listed("url", body.url)]
    named = [await _source(call, text, field) for field, text in texts]
    return ImageBody(
        body,
        (*files, *named),
        await _mask(call, form, body.mask, "mask"),
        await _mask(call, form, body.mask_image, "mask_image"),
    )


async def _mask(call: Call, form: Form, text: PictureText | None, field: str) -> PictureSource | None:
    if file := form.file(field):
        return replace(file, called=field)
    return await _source(call, text, field) if text else None


async def _source(call: Call, text: PictureText, field: str) -> PictureSource:
    if isinstance(text, PictureRef):
        if text.file_id:
            return await file_source(call, text.file_id, f"{field}.file_id")
        if not text.image_url:
            raise MissingFieldError(f"{field}.image_url")
        return picture_source(text.image_url, f"{field}.image_url")
    return picture_source(text, field)
