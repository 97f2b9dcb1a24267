"""Who does what in the next tick. Torch-free: plain state over ids, two doors, no clock.

Any mix of pictures steps together: kinds, sizes, step counts, guidance, references. A tick does at most one unit of
prefix work, so a newcomer never stalls the running ones for longer, and starts stepping in the tick after its prefix
stands. Who is served when tokens, places or memory are short is `policy`'s to say; what is held is `prefix_index`'s.
"""

from dataclasses import dataclass, replace

from overpaint.core import CapacityError, OverpaintError
from overpaint.engine.job import Job, PrefixKey, PrefixSpec, SequenceId
from overpaint.engine.plan import PrefixWork, StepPlan, StepResult, StepWork
from overpaint.engine.policy import FairOrder
from overpaint.engine.prefix_index import PrefixIndex
from overpaint.engine.sequence import Sequence, SequenceState
from overpaint.engine.stats import EngineStats

_UNLIMITED = 2**62


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tick and the device can take, as numbers.

    Args:
        max_running: sequences under way at most.
        tick_tokens: tokens stepped in one tick at most (one sequence at least).
        prefill_tokens: prefix tokens run in one tick at most.
        cache_bytes: for keys and values.
        bytes_per_token: keys and values of one token.
    """

    max_running: int = 16
    tick_tokens: int = _UNLIMITED
    prefill_tokens: int = 4096
    cache_bytes: int = _UNLIMITED
    bytes_per_token: int = 1


class Scheduler:
    """The state of everything that waits and runs.

    Args:
        limits: see there.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._order = FairOrder()
        self._index = PrefixIndex(limits.cache_bytes)
        self._sequences: dict[SequenceId, Sequence] = {}
        self._building: PrefixKey | None = None
        self._to_drop: list[SequenceId] = []
        self._to_release: list[PrefixKey] = []
        self._num_arrivals = 0
        self.stats = EngineStats()

    @property
    def has_work(self) -> bool:
        """Whether there is anything left to plan."""
        return bool(self._sequences or self._to_drop or self._to_release)

    @property
    def held_prefixes(self) -> frozenset[PrefixKey]:
        """Prefixes that take memory, used or kept for reuse."""
        return self._index.held_keys

    @property
    def held_bytes(self) -> int:
        """Memory that prefixes take."""
        return self._index.held_bytes

    @property
    def num_running(self) -> int:
        """Sequences under way."""
        return sum(sequence.state is SequenceState.RUNNING for sequence in list(self._sequences.values()))

    def set_tick_tokens(self, tick_tokens: int) -> None:
        """Change how many tokens are stepped together at most."""
        self._limits = replace(self._limits, tick_tokens=tick_tokens)

    def check_fits(self, job: Job) -> None:
        """Refuse a job whose prefixes could never be held together.

        Raises:
            CapacityError: naming what it needs and what there is.
        """
        need = sum(self._bytes_of(spec, job) for spec in job.prefixes)
        if not self._index.fits(need):
            raise CapacityError(
                f"the references and the size need {need / 2**20:.0f} MiB of keys and values; this device has room for "
                f"{self._limits.cache_bytes / 2**20:.0f} MiB: fewer or smaller pictures fit"
            )

    def add(self, job: Job) -> None:
        """Let a job's sequences wait for their turn."""
        specs = {spec.key: spec for spec in job.prefixes}
        for spec in job.prefixes:
            self.stats.prefix_tokens += spec.num_tokens
            self.stats.prefix_tokens_reused += spec.num_tokens * self._index.is_standing(spec.key)
        for spec in job.sequences:
            sequence = Sequence(spec, order=self._num_arrivals)
            self._num_arrivals += 1
            self._order.enter(sequence, self._sequences.values())
            self._sequences[spec.sequence_id] = sequence
            for key in spec.prefixes:
                self._index.want(specs[key], spec.sequence_id, self._bytes_of(specs[key], job))

    def cancel(self, task_id: str) -> None:
        """Forget a task's sequences; the next plan frees what they hold."""
        for sequence in self._of_task(task_id):
            self._finish(sequence)

    def schedule(self) -> StepPlan:
        """Decide the next tick. Call `apply` with its result before calling this again."""
        ordered = self._order.sort(self._sequences.values())
        self._admit(ordered)
        prefill = self._plan_prefix(ordered)
        running = [sequence for sequence in ordered if sequence.state is SequenceState.RUNNING]
        stepping = self._fill_tick(running)
        plan = StepPlan(
            drop=tuple(self._to_drop),
            release=tuple(self._to_release),
            prefill=prefill,
            denoise=tuple(StepWork(s.spec.sequence_id, s.step, s.spec.terms.reproducible) for s in stepping),
            preview=tuple(s.spec.sequence_id for s in stepping if _wants_preview(s)),
            decode=tuple(s.spec.sequence_id for s in running if s.is_painted),
        )
        self._to_drop, self._to_release = [], []
        return plan

    def apply(self, result: StepResult) -> None:
        """Take note of what came of the plan; what was cancelled meanwhile is passed over."""
        self.stats.num_ticks += 1
        self.stats.prefix_tokens_reused += result.reused_tokens
        if result.prefilled is not None and result.prefilled == self._building:
            self._building = None
            self._index.finish(result.prefilled)
        if result.failed_prefix is not None:
            self._fail_prefix(*result.failed_prefix)
        for work in result.stepped:
            if sequence := self._sequences.get(work.sequence_id):
                sequence.step = work.step + 1
                self._order.charge(sequence, sequence.spec.step_tokens)
                self.stats.num_steps += 1
        for sequence_id, _ in result.decoded:
            if sequence := self._sequences.get(sequence_id):
                self._finish(sequence)
        for sequence_id, _ in result.failed:
            if sequence := self._sequences.get(sequence_id):
                self.cancel(sequence.spec.task_id)

    def users_of(self, key: PrefixKey) -> tuple[SequenceId, ...]:
        """Sequences that need a prefix."""
        entry = self._index.get(key)
        return tuple(sorted(entry.users)) if entry else ()

    def check_integrity(self) -> None:
        """Assert that every prefix is wanted and pinned by exactly those who need it and run on it."""
        self._index.check_integrity()
        assert self._index.unbuilt_keys <= {self._building}, (self._index.unbuilt_keys, self._building)
        running = [s for s in self._sequences.values() if s.state is SequenceState.RUNNING]
        assert len(running) <= self._limits.max_running
        for sequence_id, sequence in self._sequences.items():
            assert 0 <= sequence.step <= sequence.spec.num_steps, sequence
            for key in sequence.spec.prefixes:
                entry = self._index.get(key)
                assert entry is not None, key
                assert sequence_id in entry.users, sequence
                assert (sequence_id in entry.pins) == (sequence.state is SequenceState.RUNNING), sequence

    def _admit(self, ordered: list[Sequence]) -> None:
        """Give the places to the most urgent whose prefixes stand; who loses a place keeps its latents and waits.

        Each is started before the next is looked at, so that room for a later one is never made at its cost.
        """
        places = self._limits.max_running
        # A running one yields only to a more urgent class: a place is not worth a rebuilt prefix otherwise.
        for sequence in sorted(
            ordered, key=lambda s: (self._order.priority_class(s), s.state is not SequenceState.RUNNING)
        ):
            if sequence.state is SequenceState.WAITING and places and self._can_run(sequence, ordered):
                self._set_running(sequence)
            if sequence.state is SequenceState.RUNNING:
                if places:
                    places -= 1
                else:
                    self._set_waiting(sequence)

    def _fill_tick(self, running: list[Sequence]) -> list[Sequence]:
        """The most urgent running sequences that fit into the tick's tokens; one at least."""
        chosen: list[Sequence] = []
        left = self._limits.tick_tokens
        for sequence in running:
            if sequence.is_painted or (chosen and sequence.spec.step_tokens > left):
                continue
            chosen.append(sequence)
            left -= sequence.spec.step_tokens
        return chosen

    def _plan_prefix(self, ordered: list[Sequence]) -> PrefixWork | None:
        """Go on with the prefix under construction, or begin the most urgent one that there is room for."""
        if self._building is None:
            # Only the most urgent one is tried: a small one must not overtake a large one for memory for ever.
            first = next((s for s in ordered if s.state is SequenceState.WAITING and self._missing(s)), None)
            missing = self._missing(first) if first else None
            if first and missing:
                self._index.touch_source(missing)
                if self._take_memory(missing, first, ordered):
                    self._building = missing
        if self._building is None:
            return None
        entry = self._index.get(self._building)
        assert entry is not None, self._building
        target = max(self._sequences[sequence_id].spec.num_tokens for sequence_id in entry.needs)
        return PrefixWork(entry.spec, self._index.match(entry.spec), self._limits.prefill_tokens, target)

    def _can_run(self, sequence: Sequence, ordered: list[Sequence]) -> bool:
        """Whether a waiting sequence's prefixes stand, with room behind them for its picture."""
        for key in sequence.spec.prefixes:
            if self._missing(sequence) is not None:  # also when enlarging one has just cost it the other
                return False
            has_room = self._index.has_room(key, sequence.spec.sequence_id)
            if not has_room and not self._take_memory(key, sequence, ordered):
                return False
        return self._missing(sequence) is None

    def _take_memory(self, key: PrefixKey, sequence: Sequence, ordered: list[Sequence]) -> bool:
        """Take memory for a prefix, from whom it hurts least; False when there is none to be had now."""
        sequence_id = sequence.spec.sequence_id
        behind = self._behind(sequence, ordered)
        # Last its own too: a prefix that was enlarged for another picture is built again as small as it is needed.
        for may_take in ([], self._lesser(sequence, ordered), behind[1:], behind):
            donors = frozenset(other.spec.sequence_id for other in may_take)
            victims = self._index.find_room(key, sequence_id, may_take=donors)
            if victims is not None:
                self._preempt(victims)
                self._index.take_room(key, sequence_id, victims)
                self._to_release.extend(victims)
                self.stats.num_evictions += len(victims)
                return True
        return False

    def _lesser(self, sequence: Sequence, ordered: list[Sequence]) -> list[Sequence]:
        """Everyone of a lesser class."""
        mine = self._order.priority_class(sequence)
        return [other for other in ordered if self._order.priority_class(other) > mine]

    def _behind(self, sequence: Sequence, ordered: list[Sequence]) -> list[Sequence]:
        """Itself and everyone behind, when nothing runs: nobody would ever give memory back by itself."""
        if any(other.state is SequenceState.RUNNING for other in ordered):
            return []
        return ordered[ordered.index(sequence) :]

    def _preempt(self, victims: list[PrefixKey]) -> None:
        """Send those back to wait that run on prefixes about to go; their latents stay."""
        for key in victims:
            for sequence_id in self.users_of(key):
                if self._sequences[sequence_id].state is SequenceState.RUNNING:
                    self._set_waiting(self._sequences[sequence_id])

    def _fail_prefix(self, key: PrefixKey, _error: OverpaintError) -> None:
        for sequence_id in self.users_of(key):
            if sequence := self._sequences.get(sequence_id):
                self.cancel(sequence.spec.task_id)
        # The last cancel has abandoned the construction.
        assert self._building is None, self._building

    def _missing(self, sequence: Sequence) -> PrefixKey | None:
        return next((key for key in sequence.spec.prefixes if not self._index.is_ready(key)), None)

    def _set_running(self, sequence: Sequence) -> None:
        sequence.state = SequenceState.RUNNING
        for key in sequence.spec.prefixes:
            self._index.pin(key, sequence.spec.sequence_id)

    def _set_waiting(self, sequence: Sequence) -> None:
        sequence.state = SequenceState.WAITING
        self.stats.num_preemptions += 1
        for key in sequence.spec.prefixes:
            self._index.unpin(key, sequence.spec.sequence_id)

    def _finish(self, sequence: Sequence) -> None:
        sequence.state = SequenceState.FINISHED
        del self._sequences[sequence.spec.sequence_id]
        self._to_drop.append(sequence.spec.sequence_id)
        for key in sequence.spec.prefixes:
            self._index.forget(key, sequence.spec.sequence_id)
            if key == self._building and not self.users_of(key):
                self._building = None
                self._index.let_go(key)
                self._to_release.append(key)

    def _of_task(self, task_id: str) -> list[Sequence]:
        return [sequence for sequence in self._sequences.values() if sequence.spec.task_id == task_id]

    def _bytes_of(self, spec: PrefixSpec, job: Job) -> int:
        target = max(sequence.num_tokens for sequence in job.sequences)
        return (spec.num_tokens + target) * self._limits.bytes_per_token


def _wants_preview(sequence: Sequence) -> bool:
    every = sequence.spec.terms.preview_every
    done = sequence.step + 1
    return bool(every) and done % every == 0 and done < sequence.spec.num_steps
