"""Sixteen queued requests of every kind: packed, one after the other, and by diffusers; and packing at each size.

    python -m benchmarks.offline.batching [--rounds 3] [--save]

All on the same weights in one run, in turn. The bundled checkpoint is let to paint up to 256x256 directly here.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.offline.workload import alternate, engine, load, mixed_requests, serve_at_once
from benchmarks.report import report
from overpaint.core.config import EngineConfig
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.model.checkpoint import Checkpoint
from tests.reference.pipeline import as_image, reference_pipeline

_SIDES = (64, 128, 192, 256)
_AT_ONCE = 8


def diffusers_on(checkpoint: Checkpoint) -> Any:
    """`QwenImage21Pipeline` on the same folder, in the same dtype."""
    dtype = getattr(torch, checkpoint.info.dtype)
    return reference_pipeline(Path(checkpoint.info.path), dtype=dtype, device=checkpoint.info.device)


def serve_by_diffusers(pipe: Any, side: int, requests: list[GenerationRequest]) -> float:
    """Seconds that the pipeline takes for all requests, one after the other, with its KV cache on."""
    start = time.perf_counter()
    for request in requests:
        assert isinstance(request.size, Size)
        pipe(
            prompt=request.prompt,
            image=[as_image(picture) for picture in request.pictures] or None,
            width=request.size.width,
            height=request.size.height,
            num_inference_steps=request.steps,
            generator=torch.Generator().manual_seed(request.seed),
            output_resolution=side,
        )
    return time.perf_counter() - start


def packing_at(checkpoint: Checkpoint, side: int, rounds: int) -> float:
    """How many times faster eight pictures of one size are packed than one after the other (median of rounds)."""
    requests = [GenerationRequest("a cat", size=Size(side, side), steps=10, seed=seed) for seed in range(_AT_ONCE)]
    with engine(checkpoint, EngineConfig()) as packed, engine(checkpoint, EngineConfig(max_running=1)) as single:
        serve_at_once(packed, requests)  # calibrates
        times = alternate(
            rounds,
            {"single": lambda: serve_at_once(single, requests), "packed": lambda: serve_at_once(packed, requests)},
        )
    return statistics.median(a / b for a, b in zip(times["single"], times["packed"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="checkpoint; the bundled one by default")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    arguments = parser.parse_args()
    checkpoint = load(arguments.model, arguments.dtype)
    requests = mixed_requests(16)
    pipe, side = diffusers_on(checkpoint), int(checkpoint.info.reference_area**0.5)
    with engine(checkpoint, EngineConfig()) as packed, engine(checkpoint, EngineConfig(max_running=1)) as single:
        serve_at_once(packed, requests)
        serve_by_diffusers(pipe, side, requests[:2])
        times = alternate(
            arguments.rounds,
            {
                "diffusers, one by one": lambda: serve_by_diffusers(pipe, side, requests),
                "ours, one by one": lambda: serve_at_once(single, requests),
                "ours, packed": lambda: serve_at_once(packed, requests),
            },
        )
    median = {name: statistics.median(values) for name, values in times.items()}
    base = median["diffusers, one by one"]
    by_side = {side: packing_at(checkpoint, side, arguments.rounds) for side in _SIDES}
    rows = [[name, f"{seconds:.2f} s", f"{base / seconds:.2f}x"] for name, seconds in median.items()]
    rows += [[f"packed over one by one at {side}x{side}", "", f"{ratio:.2f}x"] for side, ratio in by_side.items()]
    figures = {"seconds": times, "throughput_ratio": base / median["ours, packed"], "packing_ratio": by_side}
    report("batching", ["16 mixed requests", "median", "ratio"], rows, figures, save=arguments.save)


if __name__ == "__main__":
    main()
