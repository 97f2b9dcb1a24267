"""What the OpenAPI document says of answers that are not, or not always, JSON. Knows no dialect."""

from typing import Any

STREAM = "text/event-stream"
_PICTURES = ("image/png", "image/jpeg", "image/webp")
_FILE = {"schema": {"type": "string", "format": "binary"}}


def picture_answer(description: str, *others: str, pictures: tuple[str, ...] = _PICTURES) -> dict[int | str, Any]:
    """The `responses` of a route that answers with the bytes of a picture.

    Args:
        description: of the answer.
        others: media types that it may have besides.
        pictures: that it may have as a picture.
    """
    kinds = dict.fromkeys(pictures, _FILE) | {other: {} for other in others}
    return {200: {"description": description, "content": kinds}}


def stream_answer(description: str) -> dict[int | str, Any]:
    """The `responses` of a route that answers with server-sent events, maybe besides what it returns."""
    return picture_answer(description, STREAM, pictures=())
