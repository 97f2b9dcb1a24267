"""OpenAI's error envelope, and what its clients are told about trying again.

They try a POST again after 408, 409, 429 and 5xx, so everything after which a second try would paint a second time says
``x-should-retry: false``. Source: https://platform.openai.com/docs/guides/error-codes, and the client 3.52.0.
"""

import math
from dataclasses import dataclass

from fastapi import Response

from overpaint.api.error_answers import json_answer
from overpaint.api.errors import FailedTaskError, UnfinishedTaskError, UnknownFieldError, code_of
from overpaint.api.field_names import in_words, name_of
from overpaint.core.errors import (
    BudgetError,
    ContentError,
    OverpaintError,
    RateLimitError,
    RequestError,
    TaskError,
    TaskNotFoundError,
)

FIELD_NAMES = {
    "num_images": "n",
    "images": "image",
    "images[]": "images",  # the caller's own: one of several is called by the field that it came in
    "steps": "num_inference_steps",
    "adapters": "lora",
    "adapters[0]": "lora",
}
BUDGET_STATUS = 429
"""OpenAI's own for a spent quota; elsewhere it is 402."""

_CODES = {
    "invalid_request": "invalid_value",
    "missing": "missing_required_parameter",
    "invalid_picture": "invalid_image_file",
    "unreachable_picture": "invalid_image_url",
    "content": "moderation_blocked",
    "too_large": "request_too_large",
    "oversize": "invalid_value",
    "access": "invalid_api_key",
    "forbidden": "insufficient_permissions",
    "rate_limit": "rate_limit_exceeded",
    "budget": "insufficient_quota",
    "unfinished": "timeout",
}
_TYPES = {400: "invalid_request_error", 429: "requests"}
_UNKNOWN_MODEL = "model:"


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """The body of an error, without its envelope."""

    message: str
    type: str
    param: str | None
    code: str


def render_error(status: int, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`."""
    if isinstance(error, BudgetError):
        status = BUDGET_STATUS
    words = to_words(status, error)
    body = {"message": words.message, "type": words.type, "param": words.param, "code": words.code}
    response = json_answer(status, {"error": body})
    if isinstance(error, RateLimitError):
        response.headers["retry-after-ms"] = str(max(1, math.ceil(error.retry_after_s * 1000)))
    if (again := _should_retry(status, error)) is not None:
        response.headers["x-should-retry"] = "true" if again else "false"
    return response


def to_words(status: int, error: OverpaintError) -> ErrorWords:
    """What an error says, in an answer or inside a stream."""
    return ErrorWords(in_words(error, FIELD_NAMES), _type(status, error), _param(error), _code(error))


def _type(status: int, error: OverpaintError) -> str:
    if code_of(error) == ContentError.code:
        return "image_generation_user_error"
    if isinstance(error, BudgetError):
        return "insufficient_quota"
    if status in _TYPES:
        return _TYPES[status]
    return "server_error" if status >= 500 else "invalid_request_error"


def _code(error: OverpaintError) -> str:
    if isinstance(error, UnknownFieldError):
        return "unknown_parameter"
    if _is_unknown_model(error):
        return "model_not_found"
    code = code_of(error)
    return _CODES.get(code, code)


def _param(error: OverpaintError) -> str | None:
    if _is_unknown_model(error):
        return "model"
    if not isinstance(error, RequestError):
        return None
    return error.field if isinstance(error, UnknownFieldError) else name_of(error.field, FIELD_NAMES)


def _is_unknown_model(error: OverpaintError) -> bool:
    return isinstance(error, TaskNotFoundError) and error.message.startswith(_UNKNOWN_MODEL)


def _should_retry(status: int, error: OverpaintError) -> bool | None:
    """None leaves it to the client's own rules."""
    if isinstance(error, UnfinishedTaskError):
        return True
    if isinstance(error, FailedTaskError | BudgetError | TaskError) or status == 500:
        return False
    return None
