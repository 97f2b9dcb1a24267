"""How a benchmark speaks: a table for people, then one line of JSON with hardware, versions and commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import torch
from rich.console import Console
from rich.table import Table

from overpaint.model.device import resolve_device, resolve_dtype

RESULTS = Path(__file__).parent / "results"


def hardware() -> dict[str, Any]:
    """What this ran on."""
    found: dict[str, Any] = {
        "cpu": _cpu_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "arithmetic": _arithmetic(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name(0)
    return found


def _arithmetic() -> str:
    """What `--dtype auto` computes in here."""
    return str(resolve_dtype("auto", resolve_device("auto"))).removeprefix("torch.")


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str:
    """The commit that was measured, marked when the tree had changes."""
    try:
        run = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    except OSError:  # a machine that only measures may have no git
        return "unknown"
    return run.stdout.strip() or "unknown"


def report(name: str, columns: list[str], rows: list[list[str]], figures: dict[str, Any], *, save: bool) -> None:
    """Print a table and, as the very last line, one JSON object; keep it under `benchmarks/results/` when asked."""
    table = Table(*columns, title=name)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    machine = hardware()
    document = {"benchmark": name, "commit": commit(), "hardware": machine, **figures}
    if save:
        RESULTS.mkdir(exist_ok=True)
        day, arithmetic = datetime.now(UTC).strftime("%Y-%m-%d"), machine["arithmetic"]
        kind = "" if arithmetic == "bfloat16" else f"-{arithmetic}"
        (RESULTS / f"{day}-{name}{kind}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(json.dumps(document))
