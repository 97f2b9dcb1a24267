"""Lists in JSON bodies, where callers may leave out the brackets around one."""

from typing import Any, cast

from pydantic import BeforeValidator


def _listed(value: Any) -> Any:
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


Listed = BeforeValidator(_listed)
"""One where a list is meant is a list of one; null is none."""
