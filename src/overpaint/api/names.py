"""Words from a closed list, as callers write them."""

from typing import TypeVar

from overpaint.core.errors import RequestError
from overpaint.core.request import OUTPUT_FORMATS, OutputFormat

Name = TypeVar("Name", bound=str)


def pick(field: str, text: str, allowed: tuple[Name, ...]) -> Name:
    """The one of `allowed` that `text` is.

    Raises:
        RequestError: it is none of them.
    """
    for known in allowed:
        if text == known:
            return known
    raise RequestError(field, text, f"must be one of {', '.join(allowed)}")


def pick_format(field: str, text: str) -> OutputFormat:
    """The picture format that `text` names, ``"jpg"`` and capitals too.

    Raises:
        RequestError: it names none.
    """
    return pick(field, text.lower().replace("jpg", "jpeg"), OUTPUT_FORMATS)
