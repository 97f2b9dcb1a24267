"""How the native API words an error: a stable code, a sentence, and for a bad field its name, value and rule."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from overpaint.api.error_answers import json_answer
from overpaint.api.refusals import refusals
from overpaint.core.errors import OverpaintError, RequestError

_NAMES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="Stable; for programs.", examples=["invalid_request"])
    message: str = Field(
        description="For people.", examples=["seed: -2 must be 0 to 2147483647, or -1 for a fresh one"]
    )
    retryable: bool = Field(description="Whether the same request may work later.", examples=[False])
    field: str | None = Field(default=None, description="Which field breaks a rule.", examples=["seed"])
    value: str | None = Field(default=None, description="What it held, shortened.", examples=["-2"])
    rule: str | None = Field(
        default=None, description="The rule.", examples=["must be 0 to 2147483647, or -1 for a fresh one"]
    )


class ErrorAnswer(BaseModel):
    """The body of every answer that is no success."""

    error: ErrorBody


def render_error(status: int, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`."""
    body: dict[str, Any] = {
        "code": _NAMES.get(status, "http") if error.code == "route" else error.code,
        "message": error.message,
        "retryable": error.retryable,
    }
    if isinstance(error, RequestError):
        body |= {"field": error.field, "value": _short(error.value), "rule": error.rule}
    return json_answer(status, {"error": body})


def _short(value: object, limit: int = 80) -> str | None:
    text = None if value is None else str(value)
    return text if text is None or len(text) <= limit else f"{text[: limit - 1]}…"


ANSWERS = refusals(ErrorAnswer, 400, 401, 404, 409, 413, 429, 503)
ADMIN_ANSWERS = ANSWERS | refusals(ErrorAnswer, 403)
SUBMIT_ANSWERS = ANSWERS | refusals(ErrorAnswer, 402)
