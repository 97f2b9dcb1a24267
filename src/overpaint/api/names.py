"""Words from a closed list, as callers write them."""

from typing import TypeVar

from overpaint.core.errors import RequestError

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
