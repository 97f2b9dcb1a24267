"""What pydantic finds wrong with a request, as field, value and rule of the error tree."""

from collections.abc import Mapping
from typing import cast

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from overpaint.api.errors import MissingFieldError, UnknownFieldError
from overpaint.core.errors import RequestError


def from_validation(exc: RequestValidationError | ValidationError) -> RequestError:
    """What pydantic found wrong with a request, as field, value and rule; only the first finding."""
    found = cast("Mapping[str, object]", exc.errors()[0])
    location = cast("tuple[str | int, ...]", found.get("loc", ()))
    return from_finding(found, location[1:] if isinstance(exc, RequestValidationError) else location)


def from_finding(found: Mapping[str, object], location: tuple[str | int, ...]) -> RequestError:
    """One finding of pydantic's, as field, value and rule.

    Args:
        found: one of ``errors()``.
        location: of the field in the body.
    """
    field = field_name(location)
    if found.get("type") == "missing":
        return MissingFieldError(field)
    if found.get("type") == "extra_forbidden":
        return UnknownFieldError(field, _plain(found.get("input")), "is not taken: there is no such field")
    if found.get("type") in ("model_type", "dict_type", "model_attributes_type"):
        is_unread = isinstance(found.get("input"), bytes)  # the framework reads JSON only where it is called that
        rule = "must be JSON, sent with Content-Type: application/json" if is_unread else "must be an object"
        return RequestError(field, _plain(found.get("input")), rule)
    rule = str(found.get("msg", "is not usable")).removeprefix("Value error, ")
    if found.get("type") == "json_invalid":
        return RequestError("body", "", f"must be JSON ({rule})")
    return RequestError(field, _plain(found.get("input")), _clause(rule))


def field_name(location: tuple[str | int, ...]) -> str:
    """A place in a body as people write it: ``("images", 2)`` is ``"images[2]"``; nowhere is the body itself."""
    name = ""
    for part in location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name or "body"


def _plain(value: object) -> object:
    return f"{len(value)} bytes" if isinstance(value, bytes) else value


def _clause(rule: str) -> str:
    """Pydantic's ``"Input should be ..."`` as a clause that can follow a value."""
    return rule.replace("Input should be", "must be").replace("String should", "must").replace("List should", "must")
