"""AtlasCloud's error body: the status once more, and the text by both of its names."""

from fastapi import Response

from overpaint.api.error_answers import json_answer
from overpaint.api.field_names import in_words
from overpaint.core.errors import OverpaintError

FIELD_NAMES = {"true_cfg_scale": "guidance_scale", "format": "output_format"}


def render_error(status: int, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`."""
    text = in_words(error, FIELD_NAMES)
    return json_answer(status, {"code": status, "msg": text, "message": text, "data": None})
