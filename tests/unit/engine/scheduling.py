"""A scheduler with a runner that computes nothing: keeps its own books and complains when a plan makes no sense."""

from dataclasses import dataclass, field

from overpaint.core.errors import BackendError
from overpaint.core.picture import Picture
from overpaint.core.request import Acceleration
from overpaint.core.sizes import Canvas, Size
from overpaint.core.terms import Terms
from overpaint.engine.job import BlockKey, BlockSpec, Job, PrefixKey, PrefixSpec, SequenceId, SequenceSpec
from overpaint.engine.limits import Limits
from overpaint.engine.plan import StepPlan, StepResult
from overpaint.engine.scheduler import Scheduler

_PIXEL = Picture(1, 1, "RGBA", bytes(4))


def make_job(
    task_id: str,
    *,
    steps: int = 4,
    side: int = 128,
    pictures: tuple[str, ...] = (),
    words: str = "",
    num_images: int = 1,
    guided: bool = False,
    terms: Terms | None = None,
    prefix_tokens: int = 40,
    acceleration: Acceleration = "none",
) -> Job:
    """A job as the planner would make it; equal `pictures` and `words` mean equal prefixes."""
    shown = [BlockSpec("/".join(pictures[: index + 1]), 2, 8) for index in range(len(pictures))]
    branches = ("positive", "negative") if guided else ("positive",)
    prefixes = tuple(
        PrefixSpec(
            (*shown, BlockSpec(f"{'/'.join(pictures)}:{words or task_id}:{branch}", prefix_tokens - 10 * len(shown))),
            words,
            (_PIXEL,) * len(pictures),
            pictures,
        )
        for branch in branches
    )
    sequences = tuple(
        SequenceSpec(
            f"{task_id}/{index}",
            task_id,
            index,
            index,
            tuple(p.key for p in prefixes),
            steps,
            1.0,
            Canvas(Size(side, side), Size(side, side)),
            acceleration=acceleration,
            terms=terms or Terms(),
        )
        for index in range(num_images)
    )
    return Job(task_id, prefixes, sequences)


@dataclass
class FakeRunner:
    """Carries out plans on paper.

    Args:
        units: ticks that building a prefix takes.
    """

    units: int = 2
    standing: set[BlockKey] = field(default_factory=set)
    on_host: set[BlockKey] = field(default_factory=set)
    building: dict[PrefixKey, int] = field(default_factory=dict)
    restored: int = 0
    steps: dict[SequenceId, int] = field(default_factory=dict)
    decoded: list[SequenceId] = field(default_factory=list)
    needs: dict[SequenceId, SequenceSpec] = field(default_factory=dict)
    fail_prefixes: set[PrefixKey] = field(default_factory=set)
    is_host_full: bool = False

    def admit(self, job: Job) -> None:
        for spec in job.sequences:
            self.needs[spec.sequence_id] = spec
            self.steps[spec.sequence_id] = 0

    def execute(self, plan: StepPlan) -> StepResult:
        for sequence_id in plan.drop:
            del self.needs[sequence_id]
        for key in plan.spill:
            self.standing.remove(key)
            if not self.is_host_full:
                self.on_host.add(key)
        for key in plan.release:
            self.standing.discard(key)
            self.on_host.discard(key)
            self.building.pop(key, None)
        prefilled, failed_prefix = self._prefill(plan)
        for work in plan.denoise:
            spec = self.needs[work.sequence_id]
            assert set(spec.prefixes) <= self.standing, f"{work.sequence_id} steps without its prefix"
            assert self.steps[work.sequence_id] == work.step < spec.num_steps, f"{work} lost or doubled a step"
            self.steps[work.sequence_id] += 1
        for sequence_id in plan.decode:
            assert self.steps[sequence_id] == self.needs[sequence_id].num_steps
            self.decoded.append(sequence_id)
        return StepResult(
            prefilled=prefilled,
            prefill_tokens=plan.prefill.spec.num_tokens // self.units if plan.prefill else 0,
            stepped=plan.denoise,
            decoded=tuple((sequence_id, _PIXEL) for sequence_id in plan.decode),
            lost=plan.spill if self.is_host_full else (),
            failed_prefix=failed_prefix,
        )

    def _prefill(self, plan: StepPlan) -> tuple[PrefixKey | None, tuple[PrefixKey, BackendError] | None]:
        if plan.prefill is None:
            return None, None
        spec = plan.prefill.spec
        assert spec.key not in self.standing, f"{spec.key} is built twice"
        assert len(spec.pictures) == len(spec.blocks) - 1, "nothing to build it from"
        if spec.key in self.fail_prefixes:
            return None, (spec.key, BackendError("no"))
        if spec.key not in self.building:
            self._bring_back(spec)
        self.building[spec.key] = self.building.get(spec.key, 0) + 1
        if self.building[spec.key] < self.units and spec.key not in self.standing:
            return None, None
        del self.building[spec.key]
        self.standing.update(block.key for block in spec.blocks)
        return spec.key, None

    def _bring_back(self, spec: PrefixSpec) -> None:
        for block in spec.blocks:
            if block.key in self.on_host:
                self.on_host.remove(block.key)
                self.standing.add(block.key)
                self.restored += 1
            elif block.key not in self.standing:
                break


class Desk:
    """Scheduler and fake runner, checked after every tick."""

    def __init__(self, limits: Limits | None = None, units: int = 2) -> None:
        self.limits = limits or Limits()
        self.scheduler = Scheduler(self.limits)
        self.runner = FakeRunner(units)
        self.prefix_tokens: dict[PrefixKey, int] = {}

    def submit(self, job: Job) -> None:
        self.prefix_tokens |= {spec.key: spec.num_tokens for spec in job.prefixes}
        self.runner.admit(job)
        self.scheduler.add(job)

    def tick(self) -> StepPlan:
        plan = self.scheduler.schedule()
        self._check_memory(plan)
        self.scheduler.apply(self.runner.execute(plan))
        self.scheduler.check_integrity()
        return plan

    def _check_memory(self, plan: StepPlan) -> None:
        """The pass of those who step together fits into the memory to work in, unless somebody steps alone."""
        specs = [self.runner.needs[work.sequence_id] for work in plan.denoise if not work.alone]
        prefixes = [self.prefix_tokens[key] for spec in specs for key in spec.prefixes]
        taken = self.limits.pass_bytes(sum(spec.step_tokens for spec in specs), prefixes)
        assert len(specs) <= 1 or taken <= self.limits.work_bytes, (taken, self.limits.work_bytes)

    def run(self, limit: int = 5000) -> int:
        """Tick until nothing is left; how many ticks it took."""
        for count in range(limit):
            if not self.scheduler.has_work:
                self._assert_clean()
                return count
            self.tick()
        raise AssertionError(f"still work after {limit} ticks")

    def _assert_clean(self) -> None:
        assert not self.runner.needs
        assert not self.runner.building
        assert self.runner.standing | self.runner.on_host == self.scheduler.held_blocks
