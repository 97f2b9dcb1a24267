"""The scheduler under load in virtual time: a clock that every plan moves on by what its work costs."""

import random
from dataclasses import dataclass

from overpaint.core.terms import Terms
from overpaint.engine.job import Job, SequenceId, SequenceSpec
from overpaint.engine.limits import Cost, Costs, Limits
from overpaint.engine.plan import StepPlan
from tests.unit.engine.scheduling import Desk, make_job

# Of the bundled checkpoint on one core, rounded: a step of 64 tokens takes 6 ms, half of it however few they are.
COSTS = Costs(step=Cost(1.0, 64), prefix=Cost(2.0, 150), decode=Cost(1.0, 40))
SECONDS_PER_TOKEN = 3e-3 / 64


@dataclass(frozen=True)
class Arrival:
    """A job that comes at a time."""

    at_s: float
    job: Job


def poisson(tenant: str, rate: float, seconds: float, seed: int) -> list[Arrival]:
    """Four-step pictures of one tenant, every second one with a reference."""
    draw = random.Random(seed)
    arrivals: list[Arrival] = []
    at_s = draw.expovariate(rate)
    while at_s < seconds:
        index = len(arrivals)
        job = make_job(f"{tenant}{index}", terms=Terms(tenant=tenant), prefix_tokens=110 if index % 2 else 40)
        arrivals.append(Arrival(at_s, job))
        at_s += draw.expovariate(rate)
    return arrivals


def latencies(arrivals: list[Arrival], limits: Limits) -> dict[str, list[float]]:
    """Seconds from arrival to picture, by tenant."""
    desk, now_s = Desk(limits, units=1), 0.0
    todo = sorted(arrivals, key=lambda arrival: arrival.at_s)
    came = {f"{arrival.job.task_id}/0": arrival for arrival in todo}
    found: dict[str, list[float]] = {}
    while todo or desk.scheduler.has_work:
        while todo and todo[0].at_s <= now_s:
            desk.submit(todo.pop(0).job)
        if not desk.scheduler.has_work:
            now_s = todo[0].at_s
            continue
        specs = dict(desk.runner.needs)
        plan = desk.tick()
        now_s += seconds_of(plan, specs)
        for sequence_id in plan.decode:
            tenant = specs[sequence_id].terms.tenant
            found.setdefault(tenant, []).append(now_s - came[sequence_id].at_s)
    return found


def seconds_of(plan: StepPlan, specs: dict[SequenceId, SequenceSpec]) -> float:
    """What a plan takes."""
    tokens = COSTS.prefix.of(plan.prefill.spec.num_tokens) if plan.prefill else 0.0
    tokens += COSTS.step.of(sum(specs[work.sequence_id].step_tokens for work in plan.denoise)) if plan.denoise else 0.0
    tokens += sum(COSTS.decode.of(specs[sequence_id].num_tokens) for sequence_id in plan.decode)
    return tokens * SECONDS_PER_TOKEN
