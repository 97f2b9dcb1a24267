"""Jobs that were accepted and not begun: they wait until there is room for their adapters. Torch-free.

Who has none never waits here. The others go in order of arrival, so that a large one is not passed by small ones for
ever, and there is always room for the first once nothing runs.
"""

from collections.abc import Callable, Iterator

from overpaint.engine.job import Job


class Lobby:
    """Waiting jobs.

    Args:
        has_room: whether there is room for a job's adapters now.
    """

    def __init__(self, has_room: Callable[[Job], bool]) -> None:
        self._has_room = has_room
        self._jobs: list[Job] = []

    def __bool__(self) -> bool:
        return bool(self._jobs)

    @property
    def num_sequences(self) -> int:
        """Pictures that wait."""
        return sum(len(job.sequences) for job in self._jobs)

    def enter(self, jobs: list[Job]) -> None:
        """New jobs come in."""
        self._jobs.extend(jobs)

    def ready(self) -> Iterator[Job]:
        """Those that can begin, leaving; each is begun before the next is looked at."""
        waiting: list[Job] = []
        has_queue = False
        for job in self._jobs:
            if job.adapters and (has_queue or not self._has_room(job)):
                has_queue = True
                waiting.append(job)
            else:
                yield job
        self._jobs = waiting

    def leave(self, task_id: str) -> bool:
        """A task does not wait any longer; whether it did."""
        before = len(self._jobs)
        self._jobs = [job for job in self._jobs if job.task_id != task_id]
        return len(self._jobs) < before
