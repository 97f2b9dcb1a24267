"""One answer for a request and its retry: the second does not paint the same thing again.

A retry is known by what cannot be a wish for another picture: the client says so, by an idempotency key or otherwise,
the seed is fixed, or nobody was told of the first. In this process only; an idempotency key is the store's promise
beyond it. Knows fingerprints, no requests.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from overpaint.core.task import Task
from overpaint.service.clock import ServiceClock

KEPT = 4096


class Joiner:
    """Joins identical requests.

    Args:
        clock: tells the time.
        window_s: how long the answer to a client that went away is kept for its retry.
    """

    def __init__(self, clock: ServiceClock, window_s: float = 60.0) -> None:
        self._clock = clock
        self._window_s = window_s
        self._flights: dict[str, asyncio.Future[Task]] = {}
        self._abandoned: dict[str, asyncio.Future[Task]] = {}
        self._fingerprints: OrderedDict[str, str] = OrderedDict()
        self._unheard: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def take_unheard(self, fingerprint: str) -> str | None:
        """The id of the task that an identical request made and nobody was told of; given once."""
        task_id, until_s = self._unheard.pop(fingerprint, (None, 0.0))
        return task_id if self._clock.now_s() < until_s else None

    def note_unheard(self, task_id: str) -> None:
        """Keep a task for the retry of its request."""
        fingerprint = self._fingerprints.get(task_id)
        if fingerprint is not None:
            self._unheard[fingerprint] = (task_id, self._clock.now_s() + self._window_s)
            _shrink(self._unheard)

    async def accept(self, fingerprint: str, is_joinable: bool, accept: Callable[[], Awaitable[Task]]) -> Task:
        """Accept a request, or wait for the identical one that is being accepted.

        Args:
            fingerprint: of the request and its key, and the idempotency key where there is one.
            is_joinable: whether one answer is enough for two of them.
            accept: stores the task; goes on when the waiting caller is cancelled.
        """
        flight = self._take_abandoned(fingerprint)
        if flight is None and is_joinable:
            flight = self._flights.get(fingerprint)
        if flight is None:
            flight = asyncio.ensure_future(accept())
            flight.add_done_callback(lambda done: self._landed(fingerprint, done))
            self._flights.setdefault(fingerprint, flight)
        try:
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            self._abandoned[fingerprint] = flight
            flight.add_done_callback(self._nobody_waits)
            raise

    def _take_abandoned(self, fingerprint: str) -> asyncio.Future[Task] | None:
        """The identical request that is being accepted and whose client went away, if there is one: its retry's."""
        flight = self._abandoned.pop(fingerprint, None)
        if flight is not None:
            flight.remove_done_callback(self._nobody_waits)
        return flight

    def _landed(self, fingerprint: str, flight: asyncio.Future[Task]) -> None:
        for flights in (self._flights, self._abandoned):
            if flights.get(fingerprint) is flight:
                del flights[fingerprint]
        if not flight.cancelled() and flight.exception() is None:
            self._fingerprints[flight.result().id] = fingerprint
            _shrink(self._fingerprints)

    def _nobody_waits(self, flight: asyncio.Future[Task]) -> None:
        if not flight.cancelled() and flight.exception() is None:
            self.note_unheard(flight.result().id)


def _shrink(kept: OrderedDict[str, str] | OrderedDict[str, tuple[str, float]]) -> None:
    while len(kept) > KEPT:
        kept.popitem(last=False)
