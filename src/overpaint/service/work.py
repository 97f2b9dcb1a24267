"""One lease from its inputs to its end: asks the engine, passes on its news, and decides what an error means.

The engine's blocking calls run on threads of their own. Knows nothing of leasing and of other tasks.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeVar

from overpaint.core.errors import BackendError, CancelledTaskError, OverpaintError
from overpaint.core.events import Failed, Finished, Preview, Progress
from overpaint.core.ports import EngineAwayError, EngineClient
from overpaint.core.request import GenerationRequest
from overpaint.core.task import Lease, Task, TaskFailure
from overpaint.core.terms import Terms
from overpaint.service.adapters import AdapterDesk
from overpaint.service.finish import Finisher, Painted
from overpaint.service.pictures import PictureDesk
from overpaint.service.watch import WatchTower

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Outcome(Enum):
    """What came of a lease that did not end its task."""

    LOST = "lost"
    """Somebody else has ended or taken it."""
    RETRY = "retry"
    """It goes back to the queue, and that was an attempt."""
    NOT_TRIED = "not tried"
    """It goes back to the queue; the engine never saw it."""


@dataclass(slots=True)
class Work:
    """A lease under way.

    Args:
        lease: it.
        is_dropped: nobody wants it any more; the engine is told as soon as it knows the task.
        is_finishing: the pixels are there.
    """

    lease: Lease
    is_dropped: bool = False
    is_finishing: bool = False

    @property
    def run_id(self) -> str:
        """What the engine knows this lease by: it may still have an earlier one of the same task."""
        return f"{self.lease.task.id}.{self.lease.token}"


class Worker:
    """Works on leases.

    Args:
        engine: paints.
        desk: reads inputs.
        adapters: opens adapters.
        finisher: ends tasks.
        tower: hears the news.
        max_attempts: engine failures after which a task fails for good.
        preview_every: steps between previews; 0 is none.
        num_threads: leases under way at most.
    """

    def __init__(
        self,
        engine: EngineClient,
        desk: PictureDesk,
        adapters: AdapterDesk,
        finisher: Finisher,
        tower: WatchTower,
        max_attempts: int = 3,
        preview_every: int = 5,
        num_threads: int = 32,
    ) -> None:
        self._engine = engine
        self._desk = desk
        self._adapters = adapters
        self._finisher = finisher
        self._tower = tower
        self._max_attempts = max_attempts
        self._preview_every = preview_every
        self._threads = ThreadPoolExecutor(2 * num_threads, thread_name_prefix="overpaint-task")

    async def run(self, work: Work) -> Task | Outcome:
        """Work on a lease until it is decided: the task as it ended by it, or what else came of it.

        Raises:
            BackendError: the store or the files stayed out of reach; the lease runs out and the task comes back.
        """
        if work.is_dropped:
            return Outcome.LOST
        try:
            adapters = await self._adapters.open(work.lease.task.spec.adapters)
            request = await self._desk.request_of(work.lease.task, self._engine.info.sizes, adapters)
        except BackendError:
            return Outcome.NOT_TRIED
        except OverpaintError as error:
            return await self._fail(work.lease, error)
        return await self._paint(work, request)

    def drop(self, work: Work) -> None:
        """Stop painting for nobody; the stream of events ends within a step."""
        work.is_dropped = True
        self._threads.submit(self._engine.cancel, work.run_id)

    def close(self) -> None:
        """Let the threads go; those that still wait for an engine end with it."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _paint(self, work: Work, request: GenerationRequest) -> Task | Outcome:
        task = work.lease.task
        terms = Terms(tenant=task.key_id, priority=task.priority, preview_every=self._preview_every)
        try:
            await self._on_thread(lambda: self._engine.submit(work.run_id, request, terms))
            if work.is_dropped:
                self.drop(work)
            event = await self._on_thread(self._listener(work))
        except EngineAwayError:
            return Outcome.NOT_TRIED
        except OverpaintError as error:
            event = Failed(work.run_id, error)
        if isinstance(event, Finished):
            work.is_finishing = True
            return await self._finish(Painted(work.lease, request, event.result))
        return await self._failed(work, event.error)

    def _listener(self, work: Work) -> Callable[[], Finished | Failed]:
        """Reads a task's events to the last one, on a thread."""
        loop = asyncio.get_running_loop()

        def listen() -> Finished | Failed:
            for event in self._engine.events(work.run_id):
                if isinstance(event, Finished | Failed):
                    return event
                loop.call_soon_threadsafe(self._tell, work, event)
            return Failed(work.run_id, BackendError("the engine stopped telling about this task"))

        return listen

    def _tell(self, work: Work, event: Progress | Preview) -> None:
        if not work.is_dropped:
            task_id = work.lease.task.id
            self._tower.tell(task_id, work.lease.token, replace(event, task_id=task_id))

    async def _finish(self, painted: Painted) -> Task | Outcome:
        try:
            return await self._finisher.finish(painted) or Outcome.LOST
        except BackendError as error:
            _log.error("task %s could not be stored: %s", painted.lease.task.id, error.message)
            return Outcome.RETRY
        except OverpaintError as error:
            return await self._fail(painted.lease, error)

    async def _failed(self, work: Work, error: OverpaintError) -> Task | Outcome:
        """An engine's failure: of whom nobody wants, of the engine, or of the request."""
        if isinstance(error, CancelledTaskError) or work.is_dropped:
            return Outcome.LOST
        if not error.retryable:
            return await self._fail(work.lease, error)
        attempt = work.lease.task.attempt
        if attempt < self._max_attempts:
            _log.warning("task %s goes back after attempt %d: %s", work.lease.task.id, attempt, error.message)
            return Outcome.RETRY
        reason = f"the engine failed {attempt} times on this; the last time: {error.message}"
        return await self._fail(work.lease, BackendError(reason))

    async def _fail(self, lease: Lease, error: OverpaintError) -> Task | Outcome:
        return await self._finisher.fail(lease, TaskFailure(error.code, error.message)) or Outcome.LOST

    async def _on_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
