"""What the engine knows of each task it was given: its pictures so far, its times, and who listens.

Torch-free. Turns what happens to sequences into a task's events; knows nothing of scheduling.
"""

import queue
from collections.abc import Iterator
from dataclasses import dataclass, field

from overpaint.core import (
    Clock,
    Event,
    Failed,
    Finished,
    GenerationResult,
    OverpaintError,
    PaintedImage,
    Picture,
    Preview,
    Progress,
    TaskError,
    Timings,
    is_final,
)
from overpaint.core.events import Stage
from overpaint.engine.job import Job, SequenceId
from overpaint.engine.plan import StageTimes


@dataclass(slots=True)
class _Entry:
    job: Job
    submitted_s: float
    started_s: float | None = None
    steps_done: int = 0
    times: dict[str, float] = field(default_factory=dict)
    pictures: dict[SequenceId, Picture] = field(default_factory=dict)
    events: "queue.SimpleQueue[Event]" = field(default_factory=queue.SimpleQueue)
    is_open: bool = True

    @property
    def num_steps(self) -> int:
        return sum(spec.num_steps for spec in self.job.sequences)


class TaskBook:
    """Open tasks and their mailboxes. `listen` may be called from any thread, the rest under the engine's lock.

    Args:
        model: name of the checkpoint, for the results.
        clock: tells the time.
    """

    def __init__(self, model: str, clock: Clock) -> None:
        self._model = model
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self.num_started = 0
        self.queue_wait_s = 0.0

    @property
    def open_tasks(self) -> tuple[str, ...]:
        """Tasks that have not ended, in order of arrival."""
        return tuple(task_id for task_id, entry in list(self._entries.items()) if entry.is_open)

    def is_open(self, task_id: str) -> bool:
        """Whether a task is known and has not ended."""
        return self._open_entry(task_id) is not None

    def open(self, job: Job) -> None:
        """Start a task.

        Raises:
            TaskError: its id is taken.
        """
        if job.task_id in self._entries:
            raise TaskError(f"task {job.task_id} is known already")
        self._entries[job.task_id] = _Entry(job, self._clock.now_s())
        self.tell(job.task_id, "queued")

    def listen(self, task_id: str) -> Iterator[Event]:
        """Yield the task's events until it ends; the task is forgotten then.

        Raises:
            TaskError: it is not known, or was listened to already.
        """
        entry = self._entries.get(task_id)
        if entry is None:
            raise TaskError(f"task {task_id} is not known")
        return self._drain(task_id, entry)

    def _drain(self, task_id: str, entry: _Entry) -> Iterator[Event]:
        while True:
            event = entry.events.get()
            if is_final(event):
                self._entries.pop(task_id, None)
            yield event
            if is_final(event):
                return

    def tell(self, task_id: str, stage: Stage) -> None:
        """Post where a task is."""
        if entry := self._open_entry(task_id):
            entry.events.put(Progress(task_id, stage, entry.steps_done, entry.num_steps))

    def start(self, task_id: str) -> None:
        """Note that work on a task begins."""
        entry = self._open_entry(task_id)
        if entry and entry.started_s is None:
            entry.started_s = self._clock.now_s()
            self.num_started += 1
            self.queue_wait_s += entry.started_s - entry.submitted_s

    def add_times(self, task_id: str, times: StageTimes, stages: tuple[str, ...]) -> None:
        """Charge a task with the given stages of a tick."""
        if entry := self._open_entry(task_id):
            for stage in stages:
                entry.times[stage] = entry.times.get(stage, 0.0) + getattr(times, stage)

    def add_steps(self, task_id: str, count: int) -> None:
        """Count denoising steps of a task."""
        if entry := self._open_entry(task_id):
            entry.steps_done += count

    def add_preview(self, task_id: str, index: int, picture: Picture) -> None:
        """Post a rough look at picture `index`."""
        if entry := self._open_entry(task_id):
            entry.events.put(Preview(task_id, index, entry.steps_done, picture))

    def add_picture(self, task_id: str, sequence_id: SequenceId, picture: Picture) -> None:
        """Take in a picture; the task finishes with its last one."""
        entry = self._open_entry(task_id)
        if entry is None:
            return
        entry.pictures[sequence_id] = picture
        if len(entry.pictures) == len(entry.job.sequences):
            self._end(task_id, Finished(task_id, self._result(entry)))

    def fail(self, task_id: str, error: OverpaintError) -> None:
        """End a task without a result; does nothing when it has ended."""
        if self._open_entry(task_id):
            self._end(task_id, Failed(task_id, error))

    def job_of(self, task_id: str) -> Job | None:
        """The job of an open task."""
        entry = self._open_entry(task_id)
        return entry.job if entry else None

    def _open_entry(self, task_id: str) -> _Entry | None:
        entry = self._entries.get(task_id)
        return entry if entry and entry.is_open else None

    def _end(self, task_id: str, event: Event) -> None:
        entry = self._entries[task_id]
        entry.is_open = False
        entry.pictures = {}
        entry.events.put(event)

    def _result(self, entry: _Entry) -> GenerationResult:
        sequences = entry.job.sequences
        now_s = self._clock.now_s()
        started_s = now_s if entry.started_s is None else entry.started_s
        timings = Timings(queue_s=started_s - entry.submitted_s, total_s=now_s - entry.submitted_s, **entry.times)
        return GenerationResult(
            images=tuple(PaintedImage(entry.pictures[spec.sequence_id], spec.seed) for spec in sequences),
            canvas=sequences[0].canvas,
            steps=sequences[0].num_steps,
            model=self._model,
            timings=timings,
        )
