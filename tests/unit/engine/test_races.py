"""What other threads read while the engine's own changes it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from overpaint.engine.local import MonotonicClock
from overpaint.engine.prefix_index import PrefixIndex
from overpaint.engine.task_book import TaskBook


class _Item:
    """An entry or a block; another thread takes away a second one while this one is looked at."""

    num_bytes = 1

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._meanwhile = meanwhile

    @property
    def is_open(self) -> bool:
        self._meanwhile()
        return True

    @property
    def is_on_host(self) -> bool:
        self._meanwhile()
        return False


def _two_of_which_one_goes() -> dict[str, Any]:
    items: dict[str, Any] = {}
    items["stays"] = _Item(lambda: items.pop("goes", None))
    items["goes"] = SimpleNamespace(num_bytes=1, is_open=True, is_on_host=False)
    return items


def test_open_tasks_are_told_while_a_listener_takes_one_away() -> None:
    book = TaskBook("model", MonotonicClock())
    book._entries = _two_of_which_one_goes()
    assert "stays" in book.open_tasks


@pytest.mark.parametrize(("count", "found"), [("held_bytes", 2), ("held_host_bytes", 0)])
def test_held_bytes_are_counted_while_a_block_goes(count: str, found: int) -> None:
    index = PrefixIndex(10, lambda _: 1)
    index._blocks = _two_of_which_one_goes()
    assert getattr(index, count) == found
