"""Lists in JSON bodies, where callers may leave out the brackets around one; and what their items are called."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from pydantic import BeforeValidator

T = TypeVar("T")


def _listed(value: Any) -> Any:
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


Listed = BeforeValidator(_listed)
"""One where a list is meant is a list of one; null is none."""


def listed(field: str, items: Sequence[T]) -> list[tuple[str, T]]:
    """What the items of a list are called: ``"images[0]"`` and on."""
    return [(f"{field}[{at}]", item) for at, item in enumerate(items)]


def one_or_listed(field: str, items: Sequence[T]) -> list[tuple[str, T]]:
    """The same of a field that is usually no list: its one item has its name."""
    return [(field, items[0])] if len(items) == 1 else listed(field, items)
