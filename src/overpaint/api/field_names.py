"""The fields of errors as a dialect's callers know them: rules below the dialects use the service's own names."""

from collections.abc import Mapping

from overpaint.api.errors import UnknownFieldError
from overpaint.core.errors import OverpaintError, RequestError


def in_words(error: OverpaintError, names: Mapping[str, str]) -> str:
    """The sentence for people, its field by the caller's name; one that is not known has no other.

    Args:
        error: any.
        names: by the service's name, a field (``"steps"``), one item of it (``"images[0]"``) or any (``"images[]"``);
            what is not there keeps its name.
    """
    if not isinstance(error, RequestError) or isinstance(error, UnknownFieldError):
        return error.message
    return name_of(error.field, names) + error.message.removeprefix(error.field)


def name_of(field: str, names: Mapping[str, str]) -> str:
    """A field (``"images[0]"``) as callers know it; see `in_words`. What has parts is the caller's word already."""
    stem, bracket, rest = field.partition("[")
    if "." in rest:
        return field
    several = names.get(f"{stem}[]") if bracket else None
    return names.get(field) or (several or names.get(stem, stem)) + bracket + rest
