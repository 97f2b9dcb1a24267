"""How fast a server accepts tasks durably and answers polls: 64 clients on keep-alive connections, null engine.

    python -m benchmarks.online.accept [--database pgserver | --database postgresql://...] [--save]

SQLite without `--database`; ``pgserver`` starts a PostgreSQL for the occasion. Load generator, server, engine and
database share this machine's cores. The API's processor time for each request is what a busy machine changes least.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import uvloop

from benchmarks.online.served import OWN_POSTGRES, Connection, Served, serving
from benchmarks.report import report

PAINT = "/wavespeed/api/v3/wavespeed-ai/qwen-image-2.0/text-to-image"
Ask = Callable[[Connection, int, int], Awaitable[int]]


@dataclass(frozen=True)
class Measured:
    """One phase."""

    name: str
    per_s: float
    median_ms: float
    p99_ms: float
    cpu_ms_each: float
    errors: int

    def row(self) -> list[str]:
        figures = (f"{self.per_s:.0f}", f"{self.median_ms:.1f}", f"{self.p99_ms:.1f}", f"{self.cpu_ms_each:.2f}")
        return [self.name, *figures, str(self.errors)]


async def measure(name: str, served: Served, connections: list[Connection], seconds: float, ask: Ask) -> Measured:
    """Every connection asks again as soon as it is answered, for that long."""
    times: list[float] = []
    errors = 0
    end_s = time.perf_counter() + seconds

    async def client(connection: Connection, number: int) -> None:
        nonlocal errors
        count = 0
        while (started_s := time.perf_counter()) < end_s:
            status = await ask(connection, number, count)
            times.append(time.perf_counter() - started_s)
            errors += status != 200
            count += 1

    started_s, cpu_s = time.perf_counter(), served.cpu_s()
    await asyncio.gather(*(client(connection, number) for number, connection in enumerate(connections)))
    took_s, cpu_s = time.perf_counter() - started_s, served.cpu_s() - cpu_s
    times.sort()
    p99_ms = times[min(len(times) - 1, int(len(times) * 0.99))] * 1000
    median_ms = statistics.median(times) * 1000
    return Measured(name, len(times) / took_s, median_ms, p99_ms, 1000 * cpu_s / len(times), errors)


async def run(served: Served, num_clients: int, seconds: float) -> list[Measured]:
    connections = [served.connection() for _ in range(num_clients)]
    for connection in connections:
        await connection.open()
    accepted: list[str] = []

    async def submit(connection: Connection, number: int, count: int) -> int:
        body = json.dumps({"prompt": f"cat {number} {count}", "size": "64*64"}).encode()
        status, answer = await connection.ask("POST", PAINT, body)
        if status == 200:
            accepted.append(json.loads(answer)["data"]["id"])
        elif not accepted:
            raise SystemExit(f"refused: {answer.decode()}")
        return status

    async def poll(connection: Connection, number: int, count: int) -> int:
        task_id = accepted[(number * 7919 + count) % len(accepted)]
        status, _ = await connection.ask("GET", f"/wavespeed/api/v3/predictions/{task_id}/result")
        return status

    async def native_poll(connection: Connection, number: int, count: int) -> int:
        task_id = accepted[(number * 7919 + count) % len(accepted)]
        status, _ = await connection.ask("GET", f"/overpaint/v1/tasks/{task_id}")
        return status

    async def live(connection: Connection, _number: int, _count: int) -> int:
        status, _ = await connection.ask("GET", "/health/live")
        return status

    await measure("warm-up", served, connections, min(1.0, seconds), submit)
    phases = {"submissions": submit, "polls": poll, "native polls": native_poll, "health (framework alone)": live}
    measured = [await measure(name, served, connections, seconds, ask) for name, ask in phases.items()]
    for connection in connections:
        connection.close()
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help=f"URL, or {OWN_POSTGRES}")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each phase")
    parser.add_argument("--model", default="null:2", help="null:2 lets tasks queue; null: paints them meanwhile")
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    given = parser.parse_args()
    with serving(given.model, given.database) as served, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured = runner.run(run(served, given.clients, given.seconds))
        kind = served.database
    figures: dict[str, Any] = {"clients": given.clients, "model": given.model}
    figures["phases"] = {phase.name: vars(phase) for phase in measured}
    columns = ["phase", "per s", "median ms", "p99 ms", "API cpu ms each", "errors"]
    report(f"accept-{kind}", columns, [phase.row() for phase in measured], figures, save=given.save)


if __name__ == "__main__":
    main()
