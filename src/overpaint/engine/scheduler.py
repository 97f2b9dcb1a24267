"""Who does what in the next tick. Torch-free: plain state over ids, two doors, no clock.

Any mix of pictures steps together: kinds, sizes, step counts, guidance, references. A tick does at most one unit of
prefix work, so a newcomer never stalls the running ones for longer, and starts stepping in the tick after its prefix
stands. Who is served when tokens are short is `policy`'s to say, who has a place and memory `admission`'s; what is held
is `prefix_index`'s.
"""

from overpaint.engine.admission import Admission
from overpaint.engine.fitting import check_fits, memo_bytes
from overpaint.engine.job import BlockKey, BlockSpec, Job, PrefixKey, SequenceId
from overpaint.engine.limits import Costs, Limits
from overpaint.engine.plan import PrefixWork, StepPlan, StepResult, StepWork
from overpaint.engine.policy import FairOrder
from overpaint.engine.prefix_index import PrefixIndex
from overpaint.engine.pricing import Prices
from overpaint.engine.sequence import Sequence, SequenceState
from overpaint.engine.stats import Counters
from overpaint.engine.tick_room import TickRoom, TickSize


class Scheduler:
    """The state of everything that waits and runs.

    Args:
        limits: see there.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._size = TickSize(limits.tick_tokens)
        self._order = FairOrder()
        self._index = PrefixIndex(limits.cache_bytes, self._bytes_of, limits.host_cache_bytes)
        self._sequences: dict[SequenceId, Sequence] = {}
        self._building: PrefixKey | None = None
        self._to_drop: list[SequenceId] = []
        self._num_arrivals = 0
        self.stats = Counters()
        self._prices = Prices(limits, self._index, self._sequences)
        self._admission = Admission(self._index, self._order, self._sequences, self.stats)

    @property
    def has_work(self) -> bool:
        """Whether there is anything left to plan."""
        return bool(self._sequences or self._to_drop or self._admission.to_release or self._admission.to_spill)

    @property
    def held_blocks(self) -> frozenset[BlockKey]:
        """Blocks of prefixes that take memory, used or kept for reuse."""
        return self._index.held_keys

    @property
    def held_bytes(self) -> int:
        """Memory that prefixes take."""
        return self._index.held_bytes

    @property
    def held_host_bytes(self) -> int:
        """Bytes of keys and values that left the device for the host's memory."""
        return self._index.held_host_bytes

    @property
    def num_running(self) -> int:
        """Sequences under way."""
        return self._count(SequenceState.RUNNING)

    @property
    def num_waiting(self) -> int:
        """Sequences that wait."""
        return self._count(SequenceState.WAITING)

    def calibrate(self, tick_tokens: int, costs: Costs) -> None:
        """Take note of what the device was measured to be worth."""
        self._prices.costs = costs
        self._size.limit(tick_tokens)

    def check_fits(self, job: Job) -> None:
        """Refuse a job that could never be held (see `fitting.check_fits`)."""
        check_fits(job, self._limits)

    def add(self, job: Job) -> None:
        """Let a job's sequences wait for their turn."""
        for spec in job.prefixes:
            self.stats.prefix_tokens += spec.num_tokens
            self.stats.prefix_tokens_reused += spec.num_tokens - self._index.count_new(spec)
            for sequence in job.sequences:
                self._index.want(spec, sequence.sequence_id)
        for spec in job.sequences:
            sequence = Sequence(spec, order=self._num_arrivals)
            self._num_arrivals += 1
            self._order.enter(sequence)
            self._sequences[spec.sequence_id] = sequence

    def cancel(self, task_id: str) -> None:
        """Forget a task's sequences; the next plan frees what they hold."""
        for sequence in self._of_task(task_id):
            self._finish(sequence)

    def schedule(self) -> StepPlan:
        """Decide the next tick. Call `apply` with its result before calling this again."""
        ordered = self._order.sort(self._sequences.values())
        self._admission.give_places(ordered, self._limits.max_running)
        prefill, chosen = self._fill_tick(ordered)
        stepping = [sequence for sequence in chosen if not sequence.is_painted]
        plan = StepPlan(
            drop=tuple(self._to_drop),
            spill=tuple(self._admission.to_spill),
            release=tuple(self._admission.to_release),
            prefill=prefill,
            denoise=tuple(StepWork(s.spec.sequence_id, s.step, s.spec.terms.reproducible) for s in stepping),
            preview=tuple(s.spec.sequence_id for s in stepping if _wants_preview(s)),
            decode=tuple(s.spec.sequence_id for s in chosen if s.is_painted),
        )
        self._to_drop, self._admission.to_release, self._admission.to_spill = [], [], []
        return plan

    def apply(self, result: StepResult) -> None:
        """Take note of what came of the plan; what was cancelled meanwhile is passed over."""
        self.stats.saw(result)
        for key in result.lost:
            self._admission.to_release.extend(self._index.lose(key))
        self._size_tick(result)
        self._apply_prefix(result)
        for work in result.stepped:
            if sequence := self._sequences.get(work.sequence_id):
                sequence.step = work.step + 1
                self._order.charge(sequence, self._prices.of_step(sequence, len(result.stepped)))
                self.stats.num_steps += 1
        for sequence_id, _ in result.decoded:
            if sequence := self._sequences.get(sequence_id):
                self._order.charge(sequence, self._prices.of_decode(sequence))
                self._finish(sequence)
        for sequence_id, _ in result.failed:
            if sequence := self._sequences.get(sequence_id):
                self.cancel(sequence.spec.task_id)

    def _size_tick(self, result: StepResult) -> None:
        """Step less together than what did not fit into memory, and slowly more again while all fits."""
        known = [self._sequences[sequence_id] for sequence_id in result.crowd if sequence_id in self._sequences]
        if known:
            self._size.shrink(sum(sequence.step_tokens for sequence in known))
        elif result.stepped:
            self._size.recover()

    def _apply_prefix(self, result: StepResult) -> None:
        users = self.users_of(self._building) if self._building else ()
        if users and result.prefill_tokens:
            self._order.charge(self._sequences[users[0]], self._prices.costs.prefix.of(result.prefill_tokens))
        if result.prefilled is not None and result.prefilled == self._building:
            self._building = None
            self._index.finish(result.prefilled)
        if result.failed_prefix is not None:
            self._fail_prefix(result.failed_prefix[0])

    def users_of(self, key: PrefixKey) -> tuple[SequenceId, ...]:
        """Sequences that need a prefix."""
        return self._index.wants.users_of(key)

    def check_integrity(self) -> None:
        """Assert that every prefix is wanted and pinned by exactly those who need it and run on it."""
        self._index.check_integrity()
        building = self._index.wants.spec_of(self._building).blocks if self._building else ()
        assert self._index.unbuilt_keys <= {block.key for block in building}, self._building
        running = [s for s in self._sequences.values() if s.state is SequenceState.RUNNING]
        assert len(running) <= self._limits.max_running
        for sequence_id, sequence in self._sequences.items():
            assert 0 <= sequence.step <= sequence.spec.num_steps, sequence
            for key in sequence.spec.prefixes:
                assert sequence_id in self._index.wants.users_of(key), sequence
                is_pinned = sequence_id in self._index.wants.pins_of(key)
                assert is_pinned == (sequence.state is SequenceState.RUNNING), sequence

    def _fill_tick(self, ordered: list[Sequence]) -> tuple[PrefixWork | None, list[Sequence]]:
        """Prefix work, and who steps or is decoded: the first always, others while they fit into the tick."""
        builder = next((s for s in ordered if s.state is SequenceState.WAITING and self._admission.missing(s)), None)
        able = _able(ordered, builder)
        work = [(sequence, self._cost_of(sequence, builder)) for sequence in able]
        protected, share = self._order.fair_room(work, self._prices.costs.step.fixed)
        room = TickRoom(self._limits, self._size.tokens, self._limits.work_bytes - self._memo_bytes())
        prefill: PrefixWork | None = None
        chosen: list[Sequence] = []
        for sequence, cost in work:
            is_protected = sequence.spec.terms.tenant == protected
            if cost > share and not is_protected and (prefill or chosen):
                continue
            part = self._part_in_pass(sequence)
            if sequence is builder:
                prefill = self._plan_prefix(sequence, ordered)
                room.take(cost)
            elif sequence.state is SequenceState.RUNNING and (room.has(cost, *part) or not chosen):
                chosen.append(sequence)
                room.take(cost, *part)
            else:  # it does not fit, or has just lost its place to what is built
                continue
            share -= 0 if is_protected else cost
        return prefill, chosen

    def _cost_of(self, sequence: Sequence, builder: Sequence | None) -> float:
        """What the next piece of work on a sequence costs, which is work on a prefix for the builder."""
        key = (self._building or self._admission.missing(sequence)) if sequence is builder else None
        return self._prices.of_prefix(key) if key else self._prices.of_next(sequence)

    def _part_in_pass(self, sequence: Sequence) -> tuple[int, list[int]]:
        """Tokens that a sequence adds to the pass all share, and those of its prefixes; none to a pass of its own."""
        if sequence.is_painted or sequence.spec.terms.reproducible:
            return 0, []
        return sequence.step_tokens, [self._index.wants.spec_of(key).num_tokens for key in sequence.spec.prefixes]

    def _memo_bytes(self) -> int:
        """What is kept from step to step of all that run or have run."""
        begun = (s.spec for s in self._sequences.values() if s.step or s.state is SequenceState.RUNNING)
        return sum(memo_bytes(spec, self._limits) for spec in begun)

    def _plan_prefix(self, builder: Sequence, ordered: list[Sequence]) -> PrefixWork | None:
        """Go on with the prefix under construction, or begin the builder's when there is memory.

        Nobody behind it is tried instead: a small one must not overtake a large one for memory for ever.
        """
        missing = self._admission.missing(builder)
        if self._building is None and missing:
            self._index.touch(self._index.wants.spec_of(missing))
            if self._admission.take_memory(missing, builder, ordered):
                self._building = missing
        if self._building is None:
            return None
        spec = self._index.wants.spec_of(self._building)
        return PrefixWork(spec, self._prices.most_at_once(self._building), self.users_of(self._building))

    def _fail_prefix(self, key: PrefixKey) -> None:
        for sequence_id in self.users_of(key):
            if sequence := self._sequences.get(sequence_id):
                self.cancel(sequence.spec.task_id)
        # The last cancel has abandoned the construction.
        assert self._building is None, self._building

    def _finish(self, sequence: Sequence) -> None:
        sequence.state = SequenceState.FINISHED
        self._order.leave(sequence)
        del self._sequences[sequence.spec.sequence_id]
        self._to_drop.append(sequence.spec.sequence_id)
        for key in sequence.spec.prefixes:
            self._index.wants.remove(key, sequence.spec.sequence_id)
            if key == self._building and not self.users_of(key):
                self._building = None
                self._admission.to_release.extend(self._index.abandon())

    def _count(self, state: SequenceState) -> int:
        return sum(sequence.state is state for sequence in list(self._sequences.values()))

    def _of_task(self, task_id: str) -> list[Sequence]:
        return [sequence for sequence in self._sequences.values() if sequence.spec.task_id == task_id]

    def _bytes_of(self, block: BlockSpec) -> int:
        return self._limits.kept_bytes(block.text_tokens, block.picture_tokens)


def _wants_preview(sequence: Sequence) -> bool:
    every = sequence.spec.terms.preview_every
    done = sequence.step + 1
    return bool(every) and done % every == 0 and done < sequence.spec.num_steps


def _able(ordered: list[Sequence], builder: Sequence | None) -> list[Sequence]:
    """Who could be worked on; who needs a prefix goes before its tenant's others: a tick never misses work on one."""
    able = [sequence for sequence in ordered if sequence.state is SequenceState.RUNNING or sequence is builder]
    if builder:
        place = next(i for i, s in enumerate(able) if s.spec.terms.tenant == builder.spec.terms.tenant)
        able.remove(builder)
        able.insert(place, builder)
    return able
