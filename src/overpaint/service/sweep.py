"""Takes out what is old: tasks past their retention with their files, and files that no task names.

Runs beside the server and may run in several processes at once: everything it does can be done twice.
"""

import logging
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from overpaint.core.errors import BackendError
from overpaint.core.output_ports import ListedFile, OutputStore
from overpaint.core.store_ports import TaskStore
from overpaint.service.clock import ServiceClock
from overpaint.service.clock_jumps import ClockJumps
from overpaint.service.files import INPUTS, OUTPUTS, UPLOADS
from overpaint.service.loops import Loop

BATCH = 200
FAILURES_IN_A_ROW = 50
"""Of files that cannot be removed: with so many, it is the place that is out of reach."""
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things stay.

    Args:
        tasks: final tasks with their outputs.
        uploads: files that callers brought.
        orphans: files that no task names, inputs of forgotten tasks among them; long enough for the slowest submission
            and the slowest finish.
        interval_s: between two sweeps.
    """

    tasks: timedelta = timedelta(days=7)
    uploads: timedelta = timedelta(days=7)
    orphans: timedelta = timedelta(hours=1)
    interval_s: float = 600.0


class Sweeper:
    """Sweeps.

    Args:
        tasks: what is still named.
        outputs: what is there.
        clock: tells the time.
        retention: how long things stay.
    """

    def __init__(
        self, tasks: TaskStore, outputs: OutputStore, clock: ServiceClock, retention: Retention | None = None
    ) -> None:
        self._tasks = tasks
        self._outputs = outputs
        self._clock = clock
        self._retention = retention or Retention()
        self._jumps = ClockJumps(clock, self._retention.orphans)
        self._left: list[BackendError] = []
        self._in_a_row = 0
        self._loop = Loop("sweep", self._turn, self._retention.interval_s)

    def start(self) -> None:
        """Sweep now and then until stopped."""
        self._loop.start()

    async def stop(self) -> None:
        """End; what is not swept is swept the next time."""
        await self._loop.stop()

    async def sweep(self) -> int:
        """One whole sweep; returns how many files went. One that cannot be removed stays, and the others go.

        Raises:
            BackendError: tasks or files are out of reach.
        """
        self._left, self._in_a_row = [], 0
        count = await self._sweep_tasks()
        count += await self._sweep_uploads()
        for prefix in (OUTPUTS, INPUTS):
            count += await self._sweep_orphans(prefix)
        return count

    async def _turn(self) -> bool:
        if not self._jumps.is_calm():
            return False
        count = await self.sweep()
        if count:
            _log.info("%d old files were removed", count)
        if self._left:
            _log.warning("%d old files cannot be removed; the first: %s", len(self._left), self._left[0].message)
        return False

    async def _sweep_tasks(self) -> int:
        """Forget old tasks and remove their outputs; their inputs may be another's by now, and go as orphans."""
        count = 0
        while expired := await self._tasks.expire(
            finished_before=self._clock.now() - self._retention.tasks, limit=BATCH
        ):
            outputs = [output.file.key for task in expired for output in task.outputs]
            count += await self._remove(outputs)
        return count

    async def _sweep_uploads(self) -> int:
        count = 0
        async for keys in _batches(self._outputs.list_files(UPLOADS, older_than=self._retention.uploads)):
            count += await self._remove(keys)
        return count

    async def _sweep_orphans(self, prefix: str) -> int:
        count = 0
        async for keys in _batches(self._outputs.list_files(prefix, older_than=self._retention.orphans)):
            named = await self._tasks.referenced_files(keys)
            count += sum([await self._remove_orphan(key) for key in keys if key not in named])
        return count

    async def _remove_orphan(self, key: str) -> bool:
        """Look once more before it goes: a request may have named it, or written it again (it is young then)."""
        if await self._tasks.referenced_files([key]):
            return False
        return bool(await self._try(self._outputs.delete_old(key, older_than=self._retention.orphans)))

    async def _remove(self, keys: list[str]) -> int:
        """Remove files; how many went."""
        before = len(self._left)
        for key in keys:
            await self._try(self._outputs.delete([key]))
        return len(keys) - (len(self._left) - before)

    async def _try(self, removal: Awaitable[T]) -> T | None:
        """What a removal gives; None when the file cannot be removed.

        Raises:
            BackendError: too many in a row could not.
        """
        try:
            found = await removal
        except BackendError as error:
            self._left.append(error)
            self._in_a_row += 1
            if self._in_a_row >= FAILURES_IN_A_ROW:
                raise
            return None
        self._in_a_row = 0
        return found


async def _batches(files: AsyncIterator[ListedFile]) -> AsyncIterator[list[str]]:
    batch: list[str] = []
    async for file in files:
        batch.append(file.key)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
