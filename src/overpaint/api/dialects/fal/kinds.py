"""fal's types of what is wrong with an input, and what it tells beside each for programs to read (`ctx`).

The rules below the dialects have one code for all that can be wrong with a picture and another for the rest; which of
them is broken, and at which number, only their clauses say.

Source: https://docs.fal.ai/errors
"""

import re
from collections.abc import Mapping
from typing import Any

from overpaint.core.errors import ContentError, PictureError, RequestError, UnreachablePictureError

Context = dict[str, Any]
OTHER = "value_error"
UNSUPPORTED = "feature_not_supported"
TYPE_OF = {
    "missing": "missing",
    ContentError.code: "content_policy_violation",
    PictureError.code: "image_load_error",
    UnreachablePictureError.code: "file_download_error",
}
_BY_RULE: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (PictureError.code, r"must have sides of at least (\d+) px", "image_too_small", ("min_height", "min_width")),
    (PictureError.code, r"must have sides of at most (\d+) px", "image_too_large", ("max_height", "max_width")),
    (PictureError.code, r"must have at most \S+ megapixels", "image_too_large", ()),
    (PictureError.code, r"must be at most (\S+) MiB", "file_too_large", ("max_size",)),
    (PictureError.code, r"is (a link that has expired|not stored here)", "file_download_error", ()),
    (RequestError.code, r"must be at most (\d+) characters", "sequence_too_long", ("max_length",)),
    (RequestError.code, r"are too many; give at most (\d+)", "sequence_too_long", ("max_length",)),
    (RequestError.code, r"are too few; give at least (\d+)", "sequence_too_short", ("min_length",)),
)
"""Code, beginning of the clause, type, and what the number in the clause is called."""
_UNIT = {"max_size": 1024 * 1024}
_BY_PYDANTIC = {
    "literal_error": "one_of",
    "string_too_short": "sequence_too_short",
    "string_too_long": "sequence_too_long",
    "too_short": "sequence_too_short",
    "too_long": "sequence_too_long",
}
"""Where fal documents another type than pydantic's."""
_TOLD = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length")
"""What is passed on of pydantic's own context: what fal documents."""


def kind_of(error: RequestError) -> tuple[str, Context]:
    """The type of an error and its context."""
    for code, rule, kind, names in _BY_RULE:
        found = re.match(rule, error.rule) if error.code == code else None
        if found is not None:
            return kind, {name: round(float(found[1]) * _UNIT.get(name, 1)) for name in names}
    return TYPE_OF.get(error.code, OTHER), {}


def kind_of_pydantic(kind: str, context: Mapping[str, Any]) -> tuple[str, Context]:
    """The same of what pydantic found."""
    if kind == "literal_error":
        return _BY_PYDANTIC[kind], {"expected": re.findall("'([^']*)'", context["expected"])}
    return _BY_PYDANTIC.get(kind, kind), {name: context[name] for name in _TOLD if name in context}
