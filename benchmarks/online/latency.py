"""Small requests among large ones at 80 % load: joining at every step against whole requests, first come, first served.

    python -m benchmarks.online.latency [--seconds 20] [--rounds 5] [--save]

Poisson arrivals in several patterns, each for both in turn; three in four are small (4 steps), the rest large (40
steps): once all of one size, and once with large ones of four times the pixels. Then two tenants, one sending ten times
as much; then cancels. In process, without HTTP: this measures the engine.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from typing import Any

from benchmarks.offline.workload import (
    Arrival,
    engine,
    finish,
    load,
    percentile,
    sample_pictures,
    serve_arrivals,
    serve_in_order,
)
from benchmarks.report import report
from overpaint.core.config import EngineConfig
from overpaint.core.events import Progress
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.core.terms import Terms
from overpaint.engine.local import LocalEngine
from overpaint.model.checkpoint import Checkpoint

_LOAD = 0.8
_SMALL, _LARGE = 4, 40
_SIDE, _LARGE_SIDE = 128, 256
_CANCELS = 100
_RATIOS = {
    "small_p95_ratio": "p95 of small requests",
    "large_p95_ratio": "p95 of large requests",
    "throughput_ratio": "throughput",
}


def request_of(kind: str, seed: int, large_side: int = _SIDE) -> GenerationRequest:
    """A small or a large request; every second one edits a picture."""
    pictures = tuple(sample_pictures()[:1]) if seed % 2 else ()
    steps, side = (_SMALL, _SIDE) if kind == "small" else (_LARGE, large_side)
    return GenerationRequest("a cat on the left", pictures=pictures, size=Size(side, side), steps=steps, seed=seed)


def service_s(it: LocalEngine, kind: str, large_side: int = _SIDE) -> float:
    """Median seconds of a request alone."""
    times: list[float] = []
    for index in range(6):
        start = time.perf_counter()
        finish(it, f"alone/{kind}/{index}", request_of(kind, index, large_side))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def poisson(
    rate: float, seconds: float, seed: int, share_small: float = 0.75, tenant: str = "", large_side: int = _SIDE
) -> list[Arrival]:
    """Arrivals of one tenant."""
    draw = random.Random(seed)
    arrivals: list[Arrival] = []
    at_s = draw.expovariate(rate)
    while at_s < seconds:
        kind = "small" if draw.random() < share_small else "large"
        arrivals.append(Arrival(at_s, kind, request_of(kind, len(arrivals), large_side), Terms(tenant=tenant)))
        at_s += draw.expovariate(rate)
    return arrivals


def compare_orders(checkpoint: Checkpoint, seconds: float, rounds: int, large_side: int) -> dict[str, Any]:
    """Latencies by kind in several patterns, each served both ways in turn; the medians of the ratios."""
    found = [compare_once(checkpoint, seconds, seed, large_side) for seed in range(1, rounds + 1)]
    return {name: statistics.median(one[name] for one in found) for name in _RATIOS} | {"rounds": found}


def compare_once(checkpoint: Checkpoint, seconds: float, seed: int, large_side: int) -> dict[str, Any]:
    """Latencies by kind over one pattern of arrivals, one engine after the other."""
    found: dict[str, Any] = {}
    arrivals: list[Arrival] = []
    for name, serve in (("whole", serve_in_order), ("steps", serve_arrivals)):
        with engine(checkpoint, EngineConfig()) as it:
            if not arrivals:
                mean_s = 0.75 * service_s(it, "small") + 0.25 * service_s(it, "large", large_side)
                arrivals = poisson(_LOAD / mean_s, seconds, seed, large_side=large_side)
                found |= {"arrivals": len(arrivals), "mean_service_s": mean_s}
            latencies, total_s = serve(it, arrivals)
        found[name] = {kind: percentile(values, 0.95) for kind, values in latencies.items()}
        found[name]["requests_per_s"] = len(arrivals) / total_s
    for kind in ("small", "large"):
        found[f"{kind}_p95_ratio"] = found["steps"][kind] / found["whole"][kind]
    found["throughput_ratio"] = found["steps"]["requests_per_s"] / found["whole"]["requests_per_s"]
    return found


def compare_tenants(checkpoint: Checkpoint, seconds: float) -> dict[str, Any]:
    """A modest tenant beside one that sends ten times as much, and alone with every step twice as long."""
    with engine(checkpoint, EngineConfig()) as it:
        rate = 0.12 / service_s(it, "small")
        modest = poisson(rate, seconds, seed=2, share_small=1.0, tenant="modest")
        greedy = [
            Arrival(a.at_s, "greedy", a.request, Terms(tenant="greedy"))
            for a in poisson(10 * rate, seconds, seed=3, share_small=1.0)
        ]
        alone, _ = serve_arrivals(it, modest)
        both, _ = serve_arrivals(it, sorted([*modest, *greedy], key=lambda arrival: arrival.at_s))
    beside, half = percentile(both["small"], 0.95), 2 * percentile(alone["small"], 0.95)
    return {"modest_p95_s": beside, "alone_at_half_speed_p95_s": half, "ratio": beside / half}


def measure_cancels(checkpoint: Checkpoint) -> dict[str, Any]:
    """Seconds from a cancel, at any moment of a step, until the device is free, in steps of the picture cancelled."""
    draw = random.Random(4)
    freed: list[float] = []
    with engine(checkpoint, EngineConfig()) as it:
        step_s = service_s(it, "large") / _LARGE
        for index in range(_CANCELS):
            it.submit(f"cancel/{index}", request_of("large", index))
            for event in it.events(f"cancel/{index}"):
                if isinstance(event, Progress) and event.step == 5 + index % 20:
                    time.sleep(draw.random() * step_s)
                    start = time.perf_counter()
                    it.cancel(f"cancel/{index}")
            assert it.wait_idle(10)
            freed.append((time.perf_counter() - start) / step_s)
    return {"p99_steps": percentile(freed, 0.99), "median_steps": statistics.median(freed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="checkpoint; the bundled one by default")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each arrival pattern")
    parser.add_argument("--rounds", type=int, default=5, help="patterns; the median of their ratios counts")
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    arguments = parser.parse_args()
    checkpoint = load(arguments.model, arguments.dtype)
    orders = {
        side: compare_orders(checkpoint, arguments.seconds, arguments.rounds, side) for side in (_SIDE, _LARGE_SIDE)
    }
    tenants = compare_tenants(checkpoint, 2 * arguments.seconds)
    cancels = measure_cancels(checkpoint)
    rows = [
        [f"{what}, steps over whole, large ones of {side}x{side}", f"{found[name]:.2f}x"]
        for side, found in orders.items()
        for name, what in _RATIOS.items()
    ]
    rows += [
        ["p95 of the modest tenant over alone at half speed", f"{tenants['ratio']:.2f}x"],
        ["cancel until the device is free, p99", f"{cancels['p99_steps']:.2f} steps"],
    ]
    figures = {"orders": orders, "tenants": tenants, "cancels": cancels}
    report("latency", ["what", "ratio"], rows, figures, save=arguments.save)


if __name__ == "__main__":
    main()
