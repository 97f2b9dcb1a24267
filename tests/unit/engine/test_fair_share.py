"""What a tenant waits beside another that sends ten times as much; in virtual time, so the same on every machine."""

from overpaint.engine.limits import Limits
from tests.unit.engine.scheduling import make_job
from tests.unit.engine.simulation import COSTS, Arrival, latencies, poisson

_LIMITS = Limits(tick_tokens=512, costs=COSTS)
_SECONDS = 25.0


def test_beside_a_greedy_tenant_a_modest_one_waits_little_more_than_at_half_speed() -> None:
    ((alone_s,),) = latencies([Arrival(0.0, make_job("one", prefix_tokens=75))], _LIMITS).values()
    modest = poisson("modest", 0.12 / alone_s, _SECONDS, seed=2)
    greedy = poisson("greedy", 1.2 / alone_s, _SECONDS, seed=3)
    alone = _p95(latencies(modest, _LIMITS)["modest"])
    beside = _p95(latencies([*modest, *greedy], _LIMITS)["modest"])
    assert beside <= 1.3 * (2 * alone)


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]
