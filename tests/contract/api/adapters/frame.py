"""What a dialect's adapter is: one vendor's official client, asked for the same things as every other.

A new dialect joins the error matrix and "the same pixels everywhere" by an adapter in this folder and a row in its
`__init__`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tests.contract.api.conftest import RunningServer

ROWS = (
    "no key",
    "wrong key",
    "no credit",
    "unknown model",
    "missing prompt",
    "bad size",
    "unreadable picture",
    "unreachable URL",
    "too many pictures",
    "rate limit",
    "too many open tasks",
    "engine failure",
    "too large for the device",
    "cancelled",
    "expired result",
)
STEPS = 20
"""What the catalogue's model takes, so that dialects without a field for it ask for the same."""


@dataclass(frozen=True)
class Asked:
    """An edit, in nobody's words.

    Args:
        prompt: None leaves it out.
        pictures: URLs or data URIs.
        size: in pixels; asked for as exactly as the dialect can.
        seed: that repeats it.
        steps: sent where the dialect has a field for them.
        is_known: whether the model is one that exists.
        lora: name of an adapter, where the dialect has a field for one.
    """

    prompt: str | None = "make it blue"
    pictures: tuple[str, ...] = ()
    size: tuple[int, int] = (1024, 1024)
    seed: int = 7
    steps: int = STEPS
    is_known: bool = True
    lora: str | None = None


@dataclass(frozen=True)
class Refusal:
    """What people who use the client see.

    Args:
        error: name of the exception's class, or of one that it is a kind of: what people write after ``except``.
        status: the HTTP status as the exception tells it; None where the client never asked the server, or does not
            tell.
        says: what the body or the message holds.
    """

    error: str
    status: int | None
    says: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Told:
    """What an exception says: the HTTP status if it knows it, and everything else as text."""

    status: int | None
    text: str


class Adapter(Protocol):
    """One dialect, through its official client where there is one."""

    @property
    def name(self) -> str:
        """The dialect's."""
        ...

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        """What each of `ROWS` looks like."""
        ...

    def paint(self, server: RunningServer, key: str | None, asked: Asked) -> bytes:
        """Have it painted, wait, and fetch the first picture as PNG bytes; raises what the client raises.

        The client's own retries stay; where they would take long, their pauses are shortened.
        """
        ...

    def result(self, server: RunningServer, key: str, task_id: str) -> object:
        """Ask again for the result of a task; where a dialect has no such call, read its picture's link."""
        ...

    def told(self, error: Exception) -> Told:
        """What the client's exception says."""
        ...
