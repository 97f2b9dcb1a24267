"""The wheel between scheduler and runner: what comes next is planned, carried out, taken note of and told.

Belongs to the engine's thread, but for `prepare` and what only counts. Knows nothing of who submits and who waits.
"""

from collections.abc import Callable
from threading import Condition
from time import monotonic

from overpaint.core import EngineConfig, OverpaintError
from overpaint.core.engine_stats import EngineStats
from overpaint.engine.adapter_shelf import Reservation
from overpaint.engine.job import Job
from overpaint.engine.painter import Painter
from overpaint.engine.runner import Runner
from overpaint.engine.scheduler import Scheduler
from overpaint.engine.task_book import TaskBook
from overpaint.engine.telling import Telling
from overpaint.engine.trace import Trace
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.device import responds


class Wheel:
    """Everything between jobs that may begin and what is told of them.

    Args:
        checkpoint: loaded.
        config: how to schedule.
        book: where tasks are told how they fare.
        lock: what the book is used under.

    Attributes:
        painter: holds the tensors.
    """

    def __init__(self, checkpoint: Checkpoint, config: EngineConfig, book: TaskBook, lock: Condition) -> None:
        self.painter = Painter(checkpoint, config)
        limits = self.painter.limits(config)
        device = checkpoint.transformer.device
        self._scheduler = Scheduler(limits)
        self._runner = Runner(self.painter, lambda: responds(device))
        self._telling = Telling(book, limits)
        self._lock = lock
        self._trace = Trace(config.trace) if config.trace else None
        self._is_calibrated = config.tick_tokens is not None

    @property
    def has_work(self) -> bool:
        """Whether a turn would do anything."""
        return self._scheduler.has_work

    @property
    def num_running(self) -> int:
        """Pictures under way."""
        return self._scheduler.num_running

    def stats(self, *, num_outside: int, num_started: int, queue_wait_s: float) -> EngineStats:
        """What was done so far, and what is held now.

        Args:
            num_outside: pictures that wait and were not admitted.
            num_started: see `EngineStats`.
            queue_wait_s: likewise.
        """
        counters = self._scheduler.stats
        return counters.told(
            num_running=self.num_running,
            num_waiting=self._scheduler.num_waiting + num_outside,
            num_started=num_started,
            queue_wait_s=queue_wait_s,
            prefix_bytes_reused=counters.prefix_tokens_reused * self.painter.bytes_per_token,
            prefix_bytes_held=self._scheduler.held_bytes,
            prefix_host_bytes_held=self._scheduler.held_host_bytes,
            adapter_bytes_held=self.painter.adapters.placed_bytes,
        )

    def prepare(self, job: Job) -> None:
        """What can be done for a job before it is admitted; on any thread.

        Raises:
            OversizeError: it could never fit.
        """
        self._scheduler.check_fits(job)
        for spec in job.prefixes:
            self.painter.prefixes.prepare(spec)

    def admit(self, job: Job, adapters: Reservation) -> OverpaintError | None:
        """Take a job in; why not, where that fails."""
        if error := self._runner.admit(job, adapters):
            return error
        self._telling.enter(job)
        self._scheduler.add(job)
        return None

    def cancel(self, task_id: str) -> None:
        """Forget a task's pictures; the next turn frees what they hold."""
        self._scheduler.cancel(task_id)

    def turn(self, is_wanted: Callable[[list[str]], bool]) -> set[str]:
        """One tick.

        Args:
            is_wanted: whether some of these tasks were not cancelled meanwhile.

        Returns:
            The tasks of which nothing is held any more.
        """
        if not self._is_calibrated and self.num_running > 1:
            self._calibrate()
        plan = self._scheduler.schedule()
        waiting = self._telling.tasks_of(plan.prefill.users) if plan.prefill else []
        with self._lock:
            self._telling.tell_start(plan, waiting)
        start_s = monotonic()
        result = self._runner.execute(plan, lambda sequence_ids: is_wanted(self._telling.tasks_of(sequence_ids)))
        if self._trace:
            self._trace.add(start_s, plan, result)
        self._scheduler.apply(result)
        with self._lock:
            self._telling.tell_result(result, waiting)
        return self._telling.leave(plan)

    def save_trace(self) -> None:
        """Write the trace, where there is one."""
        if self._trace:
            self._trace.save()

    def check_integrity(self) -> None:
        """Assert that tensors are held for exactly what the scheduler knows; call it when nothing turns."""
        self._scheduler.check_integrity()
        self.painter.adapters.check_integrity()
        if not self.has_work:
            prefixes, sequences = self.painter.held
            assert prefixes == self._scheduler.held_blocks, (prefixes, self._scheduler.held_blocks)
            assert not sequences, sequences

    def _calibrate(self) -> None:
        """Find what the device gains by packing; one picture alone never waits for this, only who shares pays, once."""
        self._is_calibrated = True
        if found := self._runner.calibrate():
            self._scheduler.calibrate(found.tick_tokens, found.costs)
