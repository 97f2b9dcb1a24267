"""What the service adds to a task's engine time: one client after the other, over HTTP, null engine.

    python -m benchmarks.online.added [--database pgserver] [--save]

From the first byte of the request to the last of the answer, less the time the engine painted: accepting durably,
dispatch, the engine's process, encoding, the file, the ending transaction and the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import Any

import uvloop

from benchmarks.online.served import OWN_POSTGRES, Connection, Served, serving
from benchmarks.report import report

STEPS = 4


async def added_ms(connection: Connection, size: str) -> float:
    body = {"prompt": "a cat", "size": size, "steps": STEPS}
    started_s = time.perf_counter()
    status, answer = await connection.ask("POST", "/overpaint/v1/tasks?wait_s=60", json.dumps(body).encode())
    took_ms = 1000 * (time.perf_counter() - started_s)
    task = json.loads(answer)
    if status != 201 or task["state"] != "succeeded":
        raise SystemExit(answer.decode())
    return took_ms - task["timings"]["total_ms"]


async def run(served: Served, count: int, sizes: list[str]) -> dict[str, dict[str, float]]:
    connection = served.connection()
    await connection.open()
    figures: dict[str, dict[str, float]] = {}
    for size in sizes:
        for _ in range(5):
            await added_ms(connection, size)
        times = [await added_ms(connection, size) for _ in range(count)]
        figures[size] = {"median_ms": statistics.median(times), "p95_ms": statistics.quantiles(times, n=20)[-1]}
    connection.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help=f"URL, or {OWN_POSTGRES}")
    parser.add_argument("--count", type=int, default=100, help="tasks of each size")
    parser.add_argument("--step-s", type=float, default=0.02, help="seconds a step of the engine takes")
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    given = parser.parse_args()
    model = f"null:{given.step_s}"
    with serving(model, given.database) as served, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sizes = runner.run(run(served, given.count, ["256x256", "1024x1024"]))
        kind = served.database
    rows = [[size, f"{found['median_ms']:.1f}", f"{found['p95_ms']:.1f}"] for size, found in sizes.items()]
    figures: dict[str, Any] = {"model": model, "steps": STEPS, "sizes": sizes}
    report(f"added-{kind}", ["picture", "median ms added", "p95 ms added"], rows, figures, save=given.save)


if __name__ == "__main__":
    main()
