"""Who does what in the next tick. Torch-free: plain state over ids, two doors, no clock.

First come, first served; at most one prefix is built per tick, so that a newcomer never stalls the running ones for
long; all running sequences step together, whatever their sizes, step counts and pictures.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from overpaint.engine.job import PrefixKey, SequenceId, SequenceSpec
from overpaint.engine.plan import StepPlan, StepResult, StepWork
from overpaint.engine.sequence import Sequence, SequenceState


@dataclass(slots=True)
class _Prefix:
    users: set[SequenceId] = field(default_factory=set)
    is_ready: bool = False


class Scheduler:
    """The state of everything that waits and runs.

    Args:
        max_running: sequences that step together at most.
    """

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        self._sequences: dict[SequenceId, Sequence] = {}  # insertion order is arrival order
        self._prefixes: dict[PrefixKey, _Prefix] = {}
        self._to_drop: list[SequenceId] = []
        self._to_release: list[PrefixKey] = []

    @property
    def has_work(self) -> bool:
        """Whether the next plan would not be empty."""
        return bool(self._sequences or self._to_drop or self._to_release)

    def add(self, specs: Iterable[SequenceSpec]) -> None:
        """Let sequences wait for their turn."""
        for spec in specs:
            self._sequences[spec.sequence_id] = Sequence(spec)
            for key in spec.prefixes:
                self._prefixes.setdefault(key, _Prefix()).users.add(spec.sequence_id)

    def cancel(self, task_id: str) -> None:
        """Forget a task's sequences; the next plan frees what they hold."""
        for sequence in self._of_task(task_id):
            self._finish(sequence)

    def schedule(self) -> StepPlan:
        """Decide the next tick. Call `apply` with its result before calling this again."""
        self._admit()
        running = [sequence for sequence in self._sequences.values() if sequence.state is SequenceState.RUNNING]
        plan = StepPlan(
            drop=tuple(self._to_drop),
            release=tuple(self._to_release),
            prefill=self._next_prefix(),
            denoise=tuple(StepWork(s.spec.sequence_id, s.step) for s in running if not s.is_painted),
            decode=tuple(s.spec.sequence_id for s in running if s.is_painted),
        )
        self._to_drop, self._to_release = [], []
        return plan

    def apply(self, result: StepResult) -> None:
        """Take note of what came of the plan; what was cancelled meanwhile is passed over."""
        if result.prefilled in self._prefixes:
            self._prefixes[result.prefilled].is_ready = True
        for work in result.stepped:
            if sequence := self._sequences.get(work.sequence_id):
                sequence.step = work.step + 1
        for sequence_id, _ in result.decoded:
            if sequence := self._sequences.get(sequence_id):
                self._finish(sequence)
        for sequence_id, _ in result.failed:
            if sequence := self._sequences.get(sequence_id):
                self.cancel(sequence.spec.task_id)

    def users_of(self, key: PrefixKey) -> tuple[SequenceId, ...]:
        """Sequences that hold or wait for a prefix."""
        return tuple(self._prefixes[key].users) if key in self._prefixes else ()

    def check_integrity(self) -> None:
        """Assert that every prefix is held by exactly those who need it, and that nobody runs without one."""
        needed: dict[PrefixKey, set[SequenceId]] = {}
        for sequence_id, sequence in self._sequences.items():
            assert 0 <= sequence.step <= sequence.spec.num_steps, sequence
            assert sequence.state is not SequenceState.FINISHED, sequence
            for key in sequence.spec.prefixes:
                needed.setdefault(key, set()).add(sequence_id)
                assert sequence.state is SequenceState.WAITING or self._prefixes[key].is_ready, sequence
        assert needed == {key: prefix.users for key, prefix in self._prefixes.items()}
        assert self._num_running() <= self._max_running

    def _admit(self) -> None:
        """Start waiting sequences in order, as far as there is room and their prefixes stand."""
        room = self._max_running - self._num_running()
        for sequence in list(self._waiting())[:room]:
            if self._missing_prefix(sequence):
                return  # no overtaking: those behind would starve a request with a slow prefix
            sequence.state = SequenceState.RUNNING

    def _next_prefix(self) -> PrefixKey | None:
        """The prefix to build next: of the first that waits for one, while there is room to run it."""
        if self._num_running() >= self._max_running:
            return None
        return next((key for sequence in self._waiting() if (key := self._missing_prefix(sequence))), None)

    def _missing_prefix(self, sequence: Sequence) -> PrefixKey | None:
        return next((key for key in sequence.spec.prefixes if not self._prefixes[key].is_ready), None)

    def _waiting(self) -> Iterator[Sequence]:
        return (sequence for sequence in self._sequences.values() if sequence.state is SequenceState.WAITING)

    def _num_running(self) -> int:
        return sum(sequence.state is SequenceState.RUNNING for sequence in self._sequences.values())

    def _of_task(self, task_id: str) -> list[Sequence]:
        return [sequence for sequence in self._sequences.values() if sequence.spec.task_id == task_id]

    def _finish(self, sequence: Sequence) -> None:
        sequence.state = SequenceState.FINISHED
        del self._sequences[sequence.spec.sequence_id]
        self._to_drop.append(sequence.spec.sequence_id)
        for key in sequence.spec.prefixes:
            self._prefixes[key].users.discard(sequence.spec.sequence_id)
            if not self._prefixes[key].users:
                del self._prefixes[key]
                self._to_release.append(key)
