"""Everything that can go wrong, in every dialect: the status, the words and the exception that its users know.

One row for each way to fail, one column for each dialect's official client (`adapters`). The server is a real process;
`telltale` says how its engine is made to fail.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from overpaint.api.dialects import DIALECTS
from tests.contract.api.adapters import ADAPTERS
from tests.contract.api.adapters.frame import ROWS, Adapter, Asked
from tests.contract.api.conftest import RunningServer, wait_until
from tests.contract.api.gate import Gate
from tests.contract.api.telltale import BROKEN, HUGE
from tests.contract.api.test_wavespeed_python import data_uri

NATIVE = "/overpaint/v1"
JUNK = "data:image/png;base64,iVBORw0KGgpqdW5r"
NOBODY = "http://127.0.0.1:9/a.png"


@dataclass
class Situation:
    """An edit that would work, and who asks."""

    server: RunningServer
    adapter: Adapter
    asked: Asked
    gate: Gate

    def fails(self, key: str | None = None, **changes: Any) -> None:
        self.adapter.paint(self.server, key or self.server.new_key(), replace(self.asked, **changes))


def no_key(at: Situation) -> None:
    at.adapter.paint(at.server, None, at.asked)


def rate_limit(at: Situation) -> None:
    key = at.server.new_key(requests_per_minute=1)
    with open_task(at, key):
        at.fails(key)


def too_many_open_tasks(at: Situation) -> None:
    key = at.server.new_key(max_open_tasks=1)
    with open_task(at, key):
        at.fails(key)


def cancelled(at: Situation) -> None:
    """Behind the waiting client's back, through the server's own API."""
    key = at.server.new_key()
    with at.server.client(key) as http:
        canceller = threading.Thread(target=_cancel_the_first, args=(http,))
        canceller.start()
        try:
            at.fails(key, prompt=at.gate.words)
        finally:
            canceller.join()


def expired_result(at: Situation) -> None:
    key = at.server.new_key()
    at.fails(key)
    with at.server.client(key) as http:
        (task,) = http.get(f"{NATIVE}/tasks").json()["tasks"]
        http.delete(f"{NATIVE}/tasks/{task['id']}").raise_for_status()
    at.adapter.result(at.server, key, task["id"])


WAYS: dict[str, Callable[[Situation], None]] = {
    "no key": no_key,
    "wrong key": lambda at: at.fails("op_wrong"),
    "no credit": lambda at: at.fails(at.server.new_key(monthly_budget_usd=0)),
    "unknown model": lambda at: at.fails(is_known=False),
    "missing prompt": lambda at: at.fails(prompt=None),
    "bad size": lambda at: at.fails(size=(90_000, 90_000)),
    "unreadable picture": lambda at: at.fails(pictures=(JUNK,)),
    "unreachable URL": lambda at: at.fails(pictures=(NOBODY,)),
    "too many pictures": lambda at: at.fails(pictures=at.asked.pictures * 11),
    "rate limit": rate_limit,
    "too many open tasks": too_many_open_tasks,
    "engine failure": lambda at: at.fails(prompt=BROKEN),
    "too large for the device": lambda at: at.fails(prompt=HUGE),
    "cancelled": cancelled,
    "expired result": expired_result,
}


@contextmanager
def open_task(at: Situation, key: str) -> Iterator[None]:
    with at.server.client(key) as http:
        asked = {"prompt": at.gate.words, "size": "256x256"}
        task = http.post(f"{NATIVE}/tasks", json=asked).raise_for_status().json()
        yield
        http.post(f"{NATIVE}/tasks/{task['id']}/cancel")


def _cancel_the_first(http: httpx.Client) -> None:
    wait_until(lambda: http.get(f"{NATIVE}/tasks").json()["tasks"])
    (task,) = http.get(f"{NATIVE}/tasks").json()["tasks"]
    http.post(f"{NATIVE}/tasks/{task['id']}/cancel")


def test_every_row_has_a_way_and_every_dialect_an_answer() -> None:
    assert tuple(WAYS) == ROWS
    assert {adapter.name for adapter in ADAPTERS} == {dialect.name for dialect in DIALECTS}
    for adapter in ADAPTERS:
        assert tuple(adapter.refusals) == ROWS, adapter.name


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@pytest.mark.parametrize("row", ROWS)
def test_what_goes_wrong_is_told_as_its_users_know_it(
    telltale: RunningServer, adapter: Adapter, row: str, png: bytes, gate: Gate
) -> None:
    expected = adapter.refusals[row]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is asserted below
        WAYS[row](Situation(telltale, adapter, Asked(pictures=(data_uri(png),)), gate))
    told = adapter.told(caught.value)
    assert expected.error in [kind.__name__ for kind in type(caught.value).__mro__], caught.value
    assert told.status == expected.status, told
    for words in expected.says:
        assert words in told.text
