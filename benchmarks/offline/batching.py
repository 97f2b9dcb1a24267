"""Sixteen queued requests of every kind: packed, one after the other, and by diffusers; and packing at each size.

    python -m benchmarks.offline.batching [--rounds 3] [--save]

All on the same weights in one run, in turn, each side in its own process. The bundled checkpoint is let to paint up to
256x256 directly here.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.offline.options import checkpoint_options
from benchmarks.offline.resident import Resident
from benchmarks.offline.workload import alternate, engine, load, mixed_requests, serve_at_once
from benchmarks.report import report
from overpaint.core.config import EngineConfig
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.engine.local import LocalEngine
from tests.reference.pipeline import as_image, reference_pipeline

_SIDES = (64, 128, 192, 256)
_AT_ONCE = 8


@dataclass(frozen=True)
class Pipeline:
    """`QwenImage21Pipeline` with its KV cache on, and the side that it brings references to."""

    pipe: Any
    side: int


@contextmanager
def open_pipeline(model: str | None, dtype: str) -> Iterator[Pipeline]:
    """The pipeline on the folder, dtype and device that ours would take."""
    info = load(model, dtype).info
    pipe = reference_pipeline(Path(info.path), dtype=getattr(torch, info.dtype), device=info.device)
    yield Pipeline(pipe, int(info.reference_area**0.5))


@contextmanager
def open_engine(model: str | None, dtype: str, config: EngineConfig) -> Iterator[LocalEngine]:
    """Our engine."""
    with engine(load(model, dtype), config) as it:
        yield it


def serve_by_diffusers(side: Pipeline, requests: list[GenerationRequest]) -> float:
    """Seconds that the pipeline takes for all requests, one after the other."""
    start = time.perf_counter()
    for request in requests:
        assert isinstance(request.size, Size)
        side.pipe(
            prompt=request.prompt,
            image=[as_image(picture) for picture in request.pictures] or None,
            width=request.size.width,
            height=request.size.height,
            num_inference_steps=request.steps,
            generator=torch.Generator().manual_seed(request.seed),
            output_resolution=side.side,
        )
    return time.perf_counter() - start


def packing_at(packed: Resident[LocalEngine], single: Resident[LocalEngine], side: int, rounds: int) -> float:
    """How many times faster eight pictures of one size are packed than one after the other (median of rounds)."""
    requests = [GenerationRequest("a cat", size=Size(side, side), steps=10, seed=seed) for seed in range(_AT_ONCE)]
    sides = {"single": single, "packed": packed}
    times = alternate(rounds, {name: lambda it=it: it.call(serve_at_once, requests) for name, it in sides.items()})
    return statistics.median(a / b for a, b in zip(times["single"], times["packed"], strict=True))


def main() -> None:
    parser = checkpoint_options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    which = (arguments.model, arguments.dtype)
    requests = mixed_requests(16)
    with ExitStack() as stack:
        pipeline = stack.enter_context(Resident(open_pipeline, *which))
        single = stack.enter_context(Resident(open_engine, *which, EngineConfig(max_running=1)))
        packed = stack.enter_context(Resident(open_engine, *which, EngineConfig()))
        pipeline.call(serve_by_diffusers, requests[:2])
        packed.call(serve_at_once, requests[:2])
        times = alternate(
            arguments.rounds,
            {
                "diffusers, one by one": lambda: pipeline.call(serve_by_diffusers, requests),
                "ours, one by one": lambda: single.call(serve_at_once, requests),
                "ours, packed": lambda: packed.call(serve_at_once, requests),
            },
        )
        by_side = {side: packing_at(packed, single, side, arguments.rounds) for side in _SIDES}
    median = {name: statistics.median(values) for name, values in times.items()}
    base = median["diffusers, one by one"]
    rows = [[name, f"{seconds:.2f} s", f"{base / seconds:.2f}x"] for name, seconds in median.items()]
    rows += [[f"packed over one by one at {side}x{side}", "", f"{ratio:.2f}x"] for side, ratio in by_side.items()]
    figures = {"seconds": times, "throughput_ratio": base / median["ours, packed"], "packing_ratio": by_side}
    report("batching", ["16 mixed requests", "median", "ratio"], rows, figures, save=arguments.save)


if __name__ == "__main__":
    main()
