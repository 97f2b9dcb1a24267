"""Many jobs through one engine, several at once, so that they share its steps and the pictures they have in common.

A job that cannot be done costs no other its turn. Knows no files of jobs.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event as Flag

from overpaint.cli.batch.jobs import BatchJob
from overpaint.cli.batch.ledger import Ledger
from overpaint.cli.job import encoded
from overpaint.core.errors import BackendError, OverpaintError
from overpaint.core.events import Event
from overpaint.core.ports import EngineClient
from overpaint.painting import paint

MOST_FAILURES = 3
"""Failures of the machine in a row after which it is not asked for more."""


class _StoppedError(Exception):
    """The batch is over for whoever is still under way."""


@dataclass(frozen=True, slots=True)
class BatchRun:
    """Jobs on their way.

    Args:
        engine: open.
        ledger: takes note of what becomes of them.
        folder: where the pictures go.
        at_once: jobs in the engine at once.
        tell: hears of every end, on the thread that called `run`.
    """

    engine: EngineClient
    ledger: Ledger
    folder: Path
    at_once: int
    tell: Callable[[BatchJob, OverpaintError | None], None]

    def run(self, jobs: Sequence[BatchJob]) -> None:
        """Do them all, in their order as far as they begin; what raises here, Ctrl-C included, cancels the others.

        Raises:
            BackendError: the machine failed several times in a row, or results cannot be noted.
        """
        stop, waiting = Flag(), iter(jobs)
        pool = ThreadPoolExecutor(self.at_once, thread_name_prefix="batch")
        under_way: dict[Future[OverpaintError | None], BatchJob] = {}
        num_failures = 0
        try:
            while True:
                for job in islice(waiting, self.at_once - len(under_way)):
                    under_way[pool.submit(self._do, job, stop)] = job
                if not under_way:
                    return
                for ended in wait(under_way, return_when=FIRST_COMPLETED).done:
                    error = ended.result()
                    self.tell(under_way.pop(ended), error)
                    num_failures = num_failures + 1 if isinstance(error, BackendError) else 0
                    _check(num_failures, error)
        except BaseException:
            stop.set()
            self.engine.close()
            raise
        finally:
            pool.shutdown()

    def _do(self, job: BatchJob, stop: Flag) -> OverpaintError | None:
        """One job from its pictures to its files; the error where it cannot be done."""

        def watch(_: Event) -> None:
            if stop.is_set():
                raise _StoppedError

        try:
            request = job.open()
            result = paint(self.engine, request, watch)
            job.target_in(self.folder).write(encoded(request, result))
        except OverpaintError as error:
            if stop.is_set():
                raise _StoppedError from error
            self.ledger.note_failed(job, error)
            return error
        self.ledger.note_done(job, result)
        return None


def _check(num_failures: int, last: OverpaintError | None) -> None:
    if num_failures >= MOST_FAILURES and last is not None:
        raise BackendError(f"stopped after {MOST_FAILURES} failures in a row; the last one: {last.message}")
