"""Replicate's errors: problem details (RFC 7807), with what is wrong with an input listed.

Source: https://replicate.com/docs/reference/http, and `ReplicateError` of its Python client 1.0.7.
"""

from typing import Any

from fastapi import Response

from overpaint.api.error_answers import json_answer
from overpaint.api.errors import MissingFieldError, UnknownFieldError
from overpaint.api.field_names import in_words, name_of
from overpaint.core.errors import OverpaintError, RateLimitError, RequestError

INVALID_INPUT = 422
FIELD_NAMES = {
    "images": "image",
    "size": "aspect_ratio",
    "num_images": "num_outputs",
    "steps": "num_inference_steps",
    "true_cfg_scale": "guidance",
    "adapters": "lora_weights",
    "adapters[0]": "lora_weights",
    "adapters[1]": "extra_lora_weights[0]",
    "adapters[2]": "extra_lora_weights[1]",
    "adapters[3]": "extra_lora_weights[2]",
    "webhook_url": "webhook",
}
_OUTSIDE = ("webhook", "webhook_events_filter", "version", "input", "body", "file", "content", "metadata", "cursor")
"""Fields that are not of the model's input."""
_TITLES = {
    401: "Unauthenticated",
    402: "Insufficient credit",
    403: "Forbidden",
    404: "Not found",
    409: "Conflict",
    413: "Request too large",
    422: "Input validation failed",
    429: "Too many requests",
    503: "Service unavailable",
}


def render_error(status: int, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`."""
    status = INVALID_INPUT if status == 400 else status
    body: dict[str, Any] = {"title": _TITLES.get(status, "Error"), "detail": error.message, "status": status}
    if isinstance(error, RateLimitError):
        again = f"Your rate limit resets in ~{error.retry_after_whole_s}s"
        body["detail"] = f"Request was throttled. {again}. ({error.message})"
    if isinstance(error, RequestError):
        body |= _finding(error)
    return json_answer(status, body)


def _finding(error: RequestError) -> dict[str, Any]:
    if isinstance(error, UnknownFieldError):
        said = f"Additional property {error.field} is not allowed"
        detail = f"- {said} ({error.message})\n"
        return {"detail": detail, "invalid_fields": [_field("additional_property_not_allowed", "", said)]}
    name = name_of(error.field, FIELD_NAMES)
    words = in_words(error, FIELD_NAMES)
    if name.partition("[")[0] in _OUTSIDE:
        return {"detail": f"- {words}\n", "invalid_fields": [_field("invalid", name, words)]}
    if isinstance(error, MissingFieldError):
        said = f"{name} is required" if error.rule == "is required" else words
        return {"detail": f"- input: {said}\n", "invalid_fields": [_field("required", f"input.{name}", said)]}
    return {"detail": f"- input.{words}\n", "invalid_fields": [_field("invalid", f"input.{name}", words)]}


def _field(kind: str, field: str, words: str) -> dict[str, str]:
    return {"type": kind, "field": field, "description": words}
