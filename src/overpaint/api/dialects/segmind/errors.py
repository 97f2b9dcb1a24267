"""Segmind's error body. Its clients read nothing but `error`; a spent budget is 406 there."""

from fastapi import Response

from overpaint.api.error_answers import json_answer
from overpaint.api.field_names import in_words
from overpaint.core.errors import OverpaintError

NO_CREDITS = 406
FIELD_NAMES = {
    "images": "image",
    "size": "aspect_ratio",
    "format": "image_format",
    "adapters[0]": "lora",
    "true_cfg_scale": "guidance",
}


def render_error(status: int, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`."""
    text = in_words(error, FIELD_NAMES)
    body: dict[str, object] = {"error": text}
    if status == 401:
        body |= {"error_description": text, "status_code": status}
    return json_answer(NO_CREDITS if error.code == "budget" else status, body)
