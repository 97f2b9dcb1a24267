"""Pixazo's error body: callers read `error`, some of them `message`; its gateway says the status, too."""

from fastapi import Response

from overpaint.api.error_answers import json_answer
from overpaint.api.field_names import in_words
from overpaint.core.errors import OverpaintError

FIELD_NAMES = {
    "images": "image_urls",
    "size": "image_size",
    "steps": "num_inference_steps",
    "adapters": "loras",
    "format": "output_format",
}


def render_error(status: int, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`."""
    text = in_words(error, FIELD_NAMES)
    return json_answer(status, {"error": text, "message": text, "statusCode": status})
