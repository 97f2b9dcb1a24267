"""JSON bodies that a route reads itself, because it accepts other forms too or must check something else before.

Also gives the OpenAPI description that the framework cannot derive for such routes.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from overpaint.api.findings import from_finding
from overpaint.core.errors import RequestError

M = TypeVar("M", bound=BaseModel)
MAX_MARKS = 32_768
"""Commas and opening brackets of a body. What stands between them costs up to three kilobytes to read and to refuse."""


def parse_json(raw: bytes) -> Any:
    """Read JSON; no body is an empty object, so that what is missing is named.

    Raises:
        RequestError: it is not JSON, or of more parts than any request has.
    """
    if sum(raw.count(mark) for mark in (b",", b"[", b"{")) > MAX_MARKS:
        raise RequestError("body", f"{len(raw)} bytes", f"must have at most {MAX_MARKS} commas and brackets")
    try:
        value = json.loads(raw or b"{}")
        if b"\\ud" in raw or b"\\uD" in raw:
            json.dumps(value, ensure_ascii=False).encode()  # half a character: no database and no answer could hold it
    except (ValueError, RecursionError) as exc:
        raise RequestError("body", f"{len(raw)} bytes", f"must be JSON ({exc})") from exc
    return value


def validated(model: type[M], fields: Any) -> M:
    """The fields as `model`.

    Raises:
        RequestError: one breaks a rule.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        raise _meant(exc, fields) from exc


def inlined_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's schema with definitions in place of the references to them; ours are not recursive."""
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        fields = cast("dict[str, Any]", node)
        rest = {key: resolve(value) for key, value in fields.items() if key != "$ref"}
        name = str(fields.get("$ref", "")).removeprefix("#/$defs/")
        return resolve(definitions[name]) | rest if name in definitions else rest

    return resolve(schema)


def described_body(model: type[BaseModel], example: dict[str, Any] | None = None) -> dict[str, Any]:
    """``openapi_extra`` of a route with such a body."""
    content: dict[str, Any] = {"schema": inlined_schema(model)}
    if example is not None:
        content["example"] = example
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _meant(exc: ValidationError, fields: Any) -> RequestError:
    """The first finding; of a field that may be of several kinds, which has one for each, the deepest."""
    findings = [(found, _place(found, fields)) for found in exc.errors()]
    first = findings[0][1]
    return from_finding(*max((one for one in findings if one[1][: len(first)] == first), key=lambda one: len(one[1])))


def _place(found: Mapping[str, Any], fields: Any) -> tuple[str | int, ...]:
    """Where a finding is in the body, without the kinds of a field's value, which pydantic names on the way."""
    place: list[str | int] = []
    location: tuple[str | int, ...] = found["loc"]
    here, last = fields, len(location) - 1
    for at, part in enumerate(location):
        if _has(here, part):
            here = here[part]
        elif isinstance(part, str) and 0 < at < last + (found["type"] != "missing"):
            continue
        elif isinstance(part, int) and not _is_list(here):
            continue  # one that was sent without the brackets of its list
        place.append(part)
    return tuple(place)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _has(fields: Any, part: str | int) -> bool:
    if isinstance(fields, list):
        return isinstance(part, int) and part < len(cast("list[Any]", fields))
    return isinstance(fields, dict) and part in fields
