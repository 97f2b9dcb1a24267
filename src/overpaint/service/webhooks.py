"""Tells the world that tasks are final: at least once, with the same id each time, for 24 hours.

Deliveries are queued by the store in the transaction that makes a task final; this is the loop that posts them. What a
body looks like and how it is signed is a table of functions per dialect, given from outside. Knows no vendor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from overpaint.core.account import WebhookDelivery
from overpaint.core.task import Task


@dataclass(frozen=True, slots=True)
class Signing:
    """What a signature is made of.

    Args:
        delivery_id: stays the same over all tries.
        timestamp_s: unix time of this try.
        body: the exact bytes that are sent.
        secret: of the key, as it was shown (``"whsec_..."``).
    """

    delivery_id: str
    timestamp_s: int
    body: bytes
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhookFormat:
    """How one dialect's webhooks look.

    Args:
        render: the body, as JSON bytes.
        sign: the headers that prove it.
    """

    render: Callable[[Task], bytes]
    sign: Callable[[Signing], Mapping[str, str]]


class HttpPoster(Protocol):
    """Posts to URLs that callers name."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> int:
        """Send, and return the status; redirects are not followed.

        Raises:
            BackendError: no answer, or an address that may not be asked.
        """
        ...


def sign_standard(signing: Signing) -> dict[str, str]:
    """Headers of the Standard Webhooks specification (`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,...`).

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    raise NotImplementedError


class Webhooks:
    """The delivery loop."""

    async def run(self) -> None:
        """Deliver what is due until cancelled."""
        raise NotImplementedError

    def wake(self) -> None:
        """Look for due deliveries now rather than at the next interval."""
        raise NotImplementedError

    async def deliveries(self, *, task_id: str | None = None, limit: int = 100) -> list[WebhookDelivery]:
        """Newest first, for people."""
        raise NotImplementedError
