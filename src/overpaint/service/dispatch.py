"""Keeps the engine busy: leases queued tasks, holds the leases while they are worked on, and gives them back.

A task is this process's as long as its lease is renewed. Whoever dies stops renewing, and the tasks come back to the
queue by themselves. Decides nothing about a task itself: that is `work`'s.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from overpaint.core.errors import OverpaintError, TaskNotFoundError
from overpaint.core.store_ports import TaskStore
from overpaint.core.task import Lease, Task, TaskState
from overpaint.service.charge import share_done
from overpaint.service.gate import Gate
from overpaint.service.leases import LeaseWatch
from overpaint.service.loops import Loop
from overpaint.service.watch import Ended, WatchTower
from overpaint.service.work import Outcome, Work, Worker

STOP_MARGIN_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DispatchPolicy:
    """How leasing goes.

    Args:
        worker: a name that no other process bears, nor an earlier life of this one.
        capacity: tasks under way at once.
        lease_s: a lease that is not renewed for this long is free for others.
        look_s: pause between two looks at the queue when nobody wakes.
        max_attempts: engine deaths after which a task fails; before the last try it waits until it is alone.
        max_losses: servers that died while they held a task, after which it fails: it may be what they die of.
    """

    worker: str
    capacity: int = 16
    lease_s: float = 20.0
    look_s: float = 0.5
    max_attempts: int = 3
    max_losses: int = 10

    @property
    def duration(self) -> timedelta:
        """Of a lease."""
        return timedelta(seconds=self.lease_s)


class Dispatcher:
    """The loops around the workers.

    Args:
        tasks: the queue.
        worker: works on leases.
        is_ready: whether the engine can work now.
        tower: hears of ends.
        on_end: called with a task that became final here.
        policy: how leasing goes.
        now_s: tells the time; never goes back.
    """

    def __init__(
        self,
        tasks: TaskStore,
        worker: Worker,
        is_ready: Callable[[], bool],
        tower: WatchTower,
        on_end: Callable[[Task], None],
        policy: DispatchPolicy,
        now_s: Callable[[], float],
    ) -> None:
        self._tasks = tasks
        self._worker = worker
        self._is_ready = is_ready
        self._tower = tower
        self._on_end = on_end
        self._policy = policy
        self._running: dict[str, Work] = {}
        self._is_behind = False
        self._watch = LeaseWatch(policy.lease_s, now_s)
        self._gate = Gate()
        self._jobs: set[asyncio.Task[None]] = set()
        self._leasing = Loop("dispatch", self.fill, policy.look_s)
        self._upkeep = Loop("leases", self.keep_up, policy.lease_s / 4)

    @property
    def running(self) -> frozenset[str]:
        """Tasks under way here."""
        return frozenset(self._running)

    def start(self) -> None:
        """Begin to lease."""
        self._upkeep.start()
        self._leasing.start()

    def wake(self) -> None:
        """Look at the queue now: something was stored, or the engine became ready."""
        self._leasing.wake()

    def drop(self, task_id: str) -> None:
        """Stop working on a task that is not ours any more; the engine is free of it within a step."""
        if work := self._running.get(task_id):
            self._worker.drop(work)

    async def stop(self, timeout_s: float) -> None:
        """Hand back what is being painted, let what is being written finish, and end.

        Args:
            timeout_s: for all of it; what is not done by then comes back when its lease runs out.
        """
        await self._leasing.stop()
        painting = [work for work in self._running.values() if not work.is_finishing]
        for work in painting:
            self._worker.drop(work)
        await self._hand_back([work.lease.task.id for work in painting], is_attempt=False)
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=max(0.0, timeout_s - STOP_MARGIN_S))
        await self._upkeep.stop()
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        self._worker.close()

    async def fill(self) -> bool:
        """Lease as much as there is room for; True when there may be more in the queue."""
        room = self._policy.capacity - len(self._running)
        if room <= 0 or not self._is_ready():
            return False
        leases = await self._tasks.lease(self._policy.worker, limit=room, duration=self._policy.duration)
        self._is_behind = len(leases) == room  # the queue may hold more: whoever ends makes room for it
        for lease in leases:
            self._begin(lease)
        return self._is_behind and len(self._running) < self._policy.capacity

    async def keep_up(self) -> bool:
        """Prolong the leases of what is under way, drop what is no longer ours, and free what others left behind."""
        wanted = {task_id: work for task_id, work in self._running.items() if not work.is_dropped}
        held = await self._tasks.renew(self._policy.worker, list(wanted), duration=self._policy.duration)
        for task_id, work in wanted.items():
            if task_id not in held and not work.is_finishing and not work.is_dropped:
                _log.info("task %s is no longer ours", task_id)
                self._worker.drop(work)
        await self._take_back()
        return False

    async def _take_back(self) -> None:
        """Return to the queue what nobody works on any more."""
        lost = self._watch.ran_out(await self._tasks.leases())
        if not lost:
            return
        requeued, failed = await self._tasks.reclaim(lost, max_losses=self._policy.max_losses)
        for task in failed:
            self._tell_end(task)
        if requeued:
            _log.warning("%d tasks of a worker that is gone are back in the queue", len(requeued))
            self.wake()

    def _begin(self, lease: Lease) -> None:
        self.drop(lease.task.id)  # of an earlier lease, when it was lost and is here again before that was noticed
        work = self._running[lease.task.id] = Work(lease)
        job = asyncio.create_task(self._work(work), name=f"task {lease.task.id}")
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _work(self, work: Work) -> None:
        task_id = work.lease.task.id
        try:
            async with self._gate.enter(is_alone=self._is_last_chance(work)):
                outcome = await self._worker.run(work)
            await self._settle(work, outcome)
        except OverpaintError as error:
            _log.error("task %s is left to its lease: %s", task_id, error.message)
        except Exception:  # noqa: BLE001  a bug costs this lease; it runs out, and the task comes back or fails
            _log.exception("work on task %s failed", task_id)
        finally:
            if self._running.get(task_id) is work:  # it may have been handed back and leased again by now
                del self._running[task_id]
            if self._is_behind:
                self.wake()

    def _is_last_chance(self, work: Work) -> bool:
        """Whether one more engine failure ends the task: it runs alone then, so that it fails by its own fault only."""
        return 1 < self._policy.max_attempts <= work.lease.task.attempt

    async def _settle(self, work: Work, outcome: Task | Outcome) -> None:
        if isinstance(outcome, Task):
            self._tell_end(outcome)
            return
        if outcome is Outcome.LOST:
            await self._charge_if_cancelled(work.lease)
        if outcome is Outcome.NOT_TRIED:
            await asyncio.sleep(self._policy.look_s)  # what it lacks is out of reach, and would be again at once
        if outcome is not Outcome.LOST and not work.is_dropped:
            await self._hand_back([work.lease.task.id], is_attempt=outcome is Outcome.RETRY)

    async def _charge_if_cancelled(self, lease: Lease) -> None:
        """Charge for what was painted until somebody cancelled it through another server, which could not know."""
        try:
            task = await self._tasks.get(lease.task.id)
        except TaskNotFoundError:
            return
        if task.state is TaskState.CANCELLED:
            progress = self._tower.last_progress(task.id, until=task.finished_at)
            if charge_microusd := share_done(task, progress):
                await self._tasks.charge_cancelled(lease, charge_microusd)

    async def _hand_back(self, task_ids: list[str], *, is_attempt: bool) -> None:
        if not task_ids:
            return
        try:
            await self._tasks.hand_back(self._policy.worker, task_ids, count_attempt=is_attempt)
            self.wake()
        except OverpaintError as error:
            _log.error("%d tasks come back when their leases run out: %s", len(task_ids), error.message)

    def _tell_end(self, task: Task) -> None:
        self._tower.tell(task.id, task.attempt, Ended(task))
        self._on_end(task)
