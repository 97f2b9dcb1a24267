"""Run the 7B sizes with random weights on a GPU, or everything at tiny sizes anywhere.

    python -m benchmarks.offline.full_size --out full-size.json [--only generation,edit] [--rounds 3] [--save]
    python -m benchmarks.offline.full_size --dry-run       all of it at tiny sizes, without a GPU; says nothing of speed

Transformer and VAE have the sizes of Qwen/Qwen-Image-2.1; the encoder's place is taken by random hidden states.
Diffusers paints in the same run, through its own forward with its KV cache. The file is written anew after every case,
so a run that is cut short keeps what it has; `--only` continues one into the same file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.offline.full_size.cases import Bench
from benchmarks.offline.full_size.scale import FULL, TINY
from benchmarks.offline.full_size.targets import PUBLISHED_S, rows_of
from benchmarks.report import commit, hardware, report
from overpaint.core.config import MEMORY, WEIGHTS
from overpaint.model.attention_adapters import PLAN_QUERIES

_CASES = ("generation", "edit", "batch", "prefix", "attention", "decode", "fp8", "cards")


def chosen(option: str, given: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """What an option names, in our order: the last case leaves nothing for another behind it."""
    names = given.split(",")
    if unknown := set(names) - set(known):
        sys.exit(f"full_size: {option} {', '.join(sorted(unknown))}: it takes {', '.join(known)}, separated by commas")
    return tuple(name for name in known if name in names)


def run(bench: Bench, names: tuple[str, ...], out: Path | None) -> dict[str, Any]:
    """Ask what is named; a question that fails is told and costs only itself."""
    figures: dict[str, Any] = json.loads(out.read_text())["cases"] if out and out.exists() else {}
    for name in names:
        start = time.perf_counter()
        try:
            figures[name] = bench.cases[name]()
        except Exception as error:  # noqa: BLE001  the others are still worth asking
            figures[name] = {"failed": f"{type(error).__name__}: {error}"}
        figures[name]["took_s"] = time.perf_counter() - start
        print(f"{name}: {json.dumps(figures[name])}", flush=True)
        if out:
            document = {"commit": commit(), "hardware": hardware(), "published_s": PUBLISHED_S, "cases": figures}
            out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="everything at tiny sizes, on a CPU")
    parser.add_argument("--only", default=",".join(_CASES), help="cases, separated by commas (all: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file to write, and to go on with")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is timed; the median counts")
    parser.add_argument("--memory", choices=MEMORY, default="auto", help="how the small cards are placed")
    parser.add_argument("--weights", default=",".join(WEIGHTS), help="how their blocks are held (all: %(default)s)")
    plans = "targets of so many tokens may take a kernel that needs a plan for its shape (0: all of them)"
    parser.add_argument("--plan-queries", type=int, default=PLAN_QUERIES, help=plans)
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    arguments = parser.parse_args()
    if arguments.dry_run and arguments.save:
        parser.error("--save keeps what was measured, and --dry-run measures nothing")
    names = chosen("--only", arguments.only, _CASES)
    weights = chosen("--weights", arguments.weights, WEIGHTS)
    if not arguments.dry_run and not torch.cuda.is_available():
        sys.exit("full_size: needs a CUDA device; --dry-run tries everything at tiny sizes without one")
    scale, device = (TINY, torch.device("cpu")) if arguments.dry_run else (FULL, torch.device("cuda", 0))
    bench = Bench(
        scale,
        device,
        arguments.rounds,
        arguments.memory,
        weights,
        plan_queries=arguments.plan_queries,
    )
    figures = run(bench, names, arguments.out)
    failed = [name for name in names if "failed" in figures[name]]
    if arguments.dry_run:
        Console().print(f"ran at tiny sizes: {', '.join(names)}")
    else:
        columns = ["1024x1024, bf16, one GPU", "measured", "bound", ""]
        report("full-size", columns, rows_of(figures), {"published_s": PUBLISHED_S, **figures}, save=arguments.save)
    sys.exit(f"full_size: {', '.join(failed)} failed" if failed else 0)


if __name__ == "__main__":
    main()
