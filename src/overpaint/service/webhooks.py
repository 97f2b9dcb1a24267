"""Tells the world that tasks are final: at least once, with the same id each time, for 24 hours.

Deliveries are queued by the store in the transaction that makes a task final; this is the loop that posts them. What a
body looks like and how it is signed is a table of functions per dialect, given from outside. Knows no vendor.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from overpaint.core.account import WebhookDelivery
from overpaint.core.errors import BackendError, OverpaintError, TaskError
from overpaint.core.store_ports import TaskStore, WebhookStore
from overpaint.core.task import Task
from overpaint.service.clock import ServiceClock
from overpaint.service.keys import WEBHOOK_PREFIX, Keys
from overpaint.service.loops import Loop

_log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """When to try again, and when to stop.

    Args:
        delays_s: before the second try, the third, ...; the last one repeats.
        give_up_after: since the task became final.
        timeout_s: for one answer.
        most_under_way: deliveries at once.
        most_of_a_key: of them, of one API key; its silent receivers leave room for those of others.
        interval_s: between two looks at what is due.
    """

    delays_s: tuple[float, ...] = (5, 15, 60, 300, 900, 1800, 3600)
    give_up_after: timedelta = timedelta(hours=24)
    timeout_s: float = 15.0
    most_under_way: int = 128
    most_of_a_key: int = 32
    interval_s: float = 1.0

    def next_attempt(self, delivery: WebhookDelivery, now: datetime) -> datetime | None:
        """When to try again after `delivery.attempts` tries and one more that failed; None: never."""
        delay_s = self.delays_s[min(delivery.attempts, len(self.delays_s) - 1)]
        at = now + timedelta(seconds=delay_s)
        return at if at <= delivery.created_at + self.give_up_after else None


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
    text = signing.secret.removeprefix(WEBHOOK_PREFIX)
    key = base64.b64decode(text + "=" * (-len(text) % 4))
    message = f"{signing.delivery_id}.{signing.timestamp_s}.".encode() + signing.body
    signature = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": signing.delivery_id,
        "webhook-timestamp": str(signing.timestamp_s),
        "webhook-signature": f"v1,{signature}",
    }


class Webhooks:
    """The delivery loop.

    Args:
        store: what is due.
        tasks: what it is about.
        keys: whose secret signs it.
        formats: by the dialect that took the task; ``"native"`` stands in for those it lacks.
        poster: sends.
        clock: tells the time.
        policy: when to try again.
    """

    def __init__(
        self,
        store: WebhookStore,
        tasks: TaskStore,
        keys: Keys,
        formats: Mapping[str, WebhookFormat],
        poster: HttpPoster,
        clock: ServiceClock,
        policy: WebhookPolicy | None = None,
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._keys = keys
        self._formats = formats
        self._poster = poster
        self._clock = clock
        self._policy = policy or WebhookPolicy()
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._is_behind = False
        self._loop = Loop("webhooks", self.fill, self._policy.interval_s)

    def start(self) -> None:
        """Deliver what is due until stopped."""
        self._loop.start()

    async def stop(self) -> None:
        """End; a delivery under way is made again by the next life."""
        await self._loop.stop()
        for delivery in self._under_way:
            delivery.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def note_end(self, task: Task) -> None:
        """A task became final: when somebody is to be told, that is due now and not at the next interval."""
        if task.webhook_url:
            self._loop.wake()

    async def deliveries(self, *, task_id: str | None = None, limit: int = 100) -> list[WebhookDelivery]:
        """Newest first, for people."""
        return await self._store.deliveries(task_id=task_id, limit=limit)

    async def fill(self) -> bool:
        """Begin with what is due, as much as there is room for; True when there may be more of it and more room.

        Nobody waits for another's slow receiver: no key has more than its share of the room.
        """
        share, of_keys = self._policy.most_of_a_key, Counter(self._under_way.values())
        busy = [key_id for key_id, number in of_keys.items() if number >= share]
        most = max((number for number in of_keys.values() if number < share), default=0)
        room = min(self._policy.most_under_way - of_keys.total(), share - most)
        if room <= 0:
            return False
        duration = timedelta(seconds=4 * self._policy.timeout_s)
        due = await self._store.due(limit=room, duration=duration, except_keys=busy)
        self._is_behind = bool(busy) or len(due) == room  # more may be due: whoever ends makes room for it
        for delivery in due:
            self._begin(delivery)
        return len(due) == room

    def _begin(self, delivery: WebhookDelivery) -> None:
        job = asyncio.create_task(self._deliver(delivery), name=f"webhook {delivery.id}")
        self._under_way[job] = delivery.key_id
        job.add_done_callback(self._ended)

    def _ended(self, job: asyncio.Task[None]) -> None:
        del self._under_way[job]
        if self._is_behind:
            self._loop.wake()

    async def _deliver(self, delivery: WebhookDelivery) -> None:
        try:
            await self._try(delivery)
        except OverpaintError as error:
            _log.warning("webhook %s comes again when its lease runs out: %s", delivery.id, error.message)

    async def _try(self, delivery: WebhookDelivery) -> None:
        try:
            await self._post(delivery)
        except TaskError as gone:
            await self._store.failed(delivery.id, error=gone.message, next_attempt_at=None)
        except OverpaintError as error:
            _log.info("webhook %s for task %s failed: %s", delivery.id, delivery.task_id, error.message)
            await self._put_off(delivery, error.message)
        except Exception as crash:  # noqa: BLE001  a bug in one dialect's words must not be tried without end
            _log.exception("webhook %s for task %s cannot be made", delivery.id, delivery.task_id)
            await self._put_off(delivery, f"the server failed: {crash!r}")
        else:
            await self._store.delivered(delivery.id)

    async def _put_off(self, delivery: WebhookDelivery, error: str) -> None:
        at = self._policy.next_attempt(delivery, self._clock.now())
        await self._store.failed(delivery.id, error=error, next_attempt_at=at)

    async def _post(self, delivery: WebhookDelivery) -> None:
        task = await self._tasks.get(delivery.task_id)
        form = self._formats.get(task.dialect) or self._formats["native"]
        key = await self._keys.by_id(delivery.key_id)
        if key is None:
            raise TaskError(f"the key {delivery.key_id} is gone")
        body = form.render(task)
        signing = Signing(delivery.id, int(self._clock.now().timestamp()), body, key.webhook_secret)
        headers = {"Content-Type": "application/json", **form.sign(signing)}
        status = await self._poster.post(delivery.url, headers, body, self._policy.timeout_s)
        if not 200 <= status < 300:
            raise BackendError(f"the receiver answers {status}")
