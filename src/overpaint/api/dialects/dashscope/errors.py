"""DashScope's error body and codes.

Its 2.x client and OpenAI's send again what is answered with 408, 409, 429 or a 5xx, unless ``x-should-retry`` says no.
Source: help.aliyun.com/zh/model-studio/error-code, and the client's own table.
"""

from typing import Any

from fastapi import Response

from overpaint.api.error_answers import json_answer
from overpaint.api.errors import FailedTaskError, code_of
from overpaint.api.field_names import in_words
from overpaint.api.request_id import request_id
from overpaint.core.errors import CancelledTaskError, CapacityError, OverpaintError

INVALID = "InvalidParameter"
INTERNAL = "InternalError"

CODE_OF: dict[str, str] = {
    "invalid_request": INVALID,
    "missing": INVALID,
    "invalid_picture": INVALID,
    "unreachable_picture": "BadRequest.InputDownloadFailed",
    "content": "DataInspectionFailed",
    "too_large": "BadRequest.TooLarge",
    "access": "InvalidApiKey",
    "forbidden": "AccessDenied",
    "budget": "Arrearage",
    "not_found": "ModelNotFound",
    "route": INVALID,
    "task": "UnsupportedOperation",
    "cancelled": "UnsupportedOperation",
    "rate_limit": "Throttling.RateQuota",
    "no_capacity": "ServiceUnavailable",
    "oversize": INVALID,
    "backend": "ServiceUnavailable",
    "unfinished": "GatewayTimeout",
}
CODE_OF_FAILURE = CODE_OF | {"backend": INTERNAL, "no_capacity": INTERNAL}
"""Of tasks that failed: what was out of reach then says nothing of now."""
STATUS_OF = {"budget": 400, "task": 400, "cancelled": 400}
FIELD_NAMES = {"num_images": "n", "mask": "input.mask_image_url"}


def render_error(status: int, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`."""
    return _answer(status, error, refusal(error))


def render_compatible(status: int, error: OverpaintError) -> Response:
    """The same in the words of the OpenAI-like call."""
    told = refusal(error)
    kind = "invalid_request_error" if status < 500 else "internal_error"
    return _answer(
        status, error, {"error": {"message": told["message"], "type": kind, "param": None, "code": told["code"]}}
    )


def refusal(error: OverpaintError) -> dict[str, Any]:
    """The body of `error`."""
    code = CODE_OF_FAILURE if code_of(error) != error.code else CODE_OF
    text = in_words(error, FIELD_NAMES)
    return {"code": code.get(code_of(error), INTERNAL), "message": text, "request_id": request_id()}


def _answer(status: int, error: OverpaintError, body: dict[str, Any]) -> Response:
    answer = json_answer(STATUS_OF.get(error.code, status), body)
    if _would_repaint(status, error):
        answer.headers["x-should-retry"] = "false"
    return answer


def _would_repaint(status: int, error: OverpaintError) -> bool:
    """Whether the same request sent again would paint once more what has ended."""
    if isinstance(error, FailedTaskError):
        return error.failure.code != CapacityError.code
    return isinstance(error, CancelledTaskError) or status == 500
