"""Turns what is planned and what came of it into the tasks' events. Torch-free; called under the engine's lock.

Knows which sequence is whose; knows nothing of scheduling, and keeps no pictures: `task_book` does.
"""

from collections.abc import Iterable

from overpaint.core import CapacityError, OverpaintError
from overpaint.engine.fitting import out_of_memory
from overpaint.engine.job import Job, SequenceId
from overpaint.engine.limits import Limits
from overpaint.engine.plan import StepPlan, StepResult
from overpaint.engine.task_book import TaskBook


class Telling:
    """Tells tasks how their sequences fare.

    Args:
        book: of the open tasks.
        limits: of the device, for who does not fit it.
    """

    def __init__(self, book: TaskBook, limits: Limits) -> None:
        self._book = book
        self._limits = limits
        self._sequences: dict[SequenceId, tuple[str, int]] = {}

    def enter(self, job: Job) -> None:
        """From now on a job's sequences may be in plans."""
        self._sequences.update({spec.sequence_id: (spec.task_id, spec.index) for spec in job.sequences})

    def leave(self, plan: StepPlan) -> set[str]:
        """A plan's dropped sequences are in no plan any more; the tasks that have none left."""
        dropped = {self._sequences.pop(sequence_id)[0] for sequence_id in plan.drop}
        return dropped and dropped - {task_id for task_id, _ in self._sequences.values()}

    def tasks_of(self, sequence_ids: Iterable[SequenceId]) -> list[str]:
        """The tasks of some sequences, each once, in order."""
        return list(dict.fromkeys(self._sequences[sequence_id][0] for sequence_id in sequence_ids))

    def tell_start(self, plan: StepPlan, waiting: list[str]) -> None:
        """A plan is about to be carried out; `waiting` are the tasks whose prefix it works on."""
        for task_id in waiting:
            self._book.start(task_id)
            self._book.tell(task_id, "condition")
        for task_id in self.tasks_of([work.sequence_id for work in plan.denoise]):
            self._book.start(task_id)
        for task_id in self.tasks_of(plan.decode):
            self._book.tell(task_id, "decode")

    def tell_result(self, result: StepResult, waiting: list[str]) -> None:
        """What came of it."""
        for task_id in waiting:
            self._book.add_times(task_id, result.times, ("condition_s", "prefill_s"))
            if result.failed_prefix:
                self._fail(task_id, result.failed_prefix[1])
        stepped = [work.sequence_id for work in result.stepped]
        for task_id in self.tasks_of(stepped):
            self._book.add_times(task_id, result.times, ("denoise_s",))
            self._book.add_steps(task_id, sum(self._sequences[sequence_id][0] == task_id for sequence_id in stepped))
            self._book.tell(task_id, "denoise")
        for sequence_id, picture in result.previews:
            self._book.add_preview(*self._sequences[sequence_id], picture)
        for task_id in self.tasks_of([sequence_id for sequence_id, _ in result.decoded]):
            self._book.add_times(task_id, result.times, ("decode_s",))
        for sequence_id, error in result.failed:
            self._fail(self._sequences[sequence_id][0], error)
        for sequence_id, picture in result.decoded:
            self._book.add_picture(self._sequences[sequence_id][0], sequence_id, picture)

    def _fail(self, task_id: str, error: OverpaintError) -> None:
        """Fail a task; who ran out of memory is told what would fit."""
        if isinstance(error, CapacityError) and (job := self._book.job_of(task_id)):
            error = out_of_memory(job, self._limits)
        self._book.fail(task_id, error)
