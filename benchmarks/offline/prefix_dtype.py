"""What keeping prefixes in 8 bits saves and costs: bytes of a token, and how far the pictures come out from the usual.

    python -m benchmarks.offline.prefix_dtype [--steps 20] [--save]

Edits of one picture and of four, same seeds on both sides: PSNR of the pictures, and the error of the first step's
velocity relative to its size.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.offline.prefixes import edits
from benchmarks.offline.workload import engine, finish, load
from benchmarks.report import report
from overpaint.core.config import EngineConfig
from overpaint.core.request import GenerationRequest
from overpaint.engine.job import JobPlanner
from overpaint.engine.painter import Painter
from overpaint.engine.plan import PrefixWork, StepWork
from overpaint.images.pil import to_pil
from overpaint.model.checkpoint import Checkpoint
from tests.reference.measures import psnr_db


def paint(checkpoint: Checkpoint, config: EngineConfig, requests: list[GenerationRequest]) -> list[np.ndarray]:
    """The pictures."""
    with engine(checkpoint, config) as it:
        results = [finish(it, str(index), request).result for index, request in enumerate(requests)]
    return [np.asarray(to_pil(result.images[0].picture)) for result in results]


def first_step(painter: Painter, checkpoint: Checkpoint, request: GenerationRequest) -> np.ndarray:
    """The latents after one step."""
    job = JobPlanner(checkpoint.info, painter.conditioner.count_tokens).plan("t", request)
    painter.admit(job)
    for spec in job.prefixes:
        painter.prefixes.begin(spec)
        while not painter.prefixes.is_standing(spec.key):
            painter.prefixes.advance(PrefixWork(spec, 10**6))
    before = painter.latents("t/0").clone()
    painter.step([StepWork("t/0", 0)], lambda: True)
    moved = (painter.latents("t/0") - before).numpy()
    painter.drop("t/0")
    for block in (block for spec in job.prefixes for block in spec.blocks):
        painter.prefixes.release(block.key)
    return moved


def compare(checkpoint: Checkpoint, num_pictures: int, steps: int) -> dict[str, Any]:
    """Pictures and first steps on both sides."""
    requests = [replace(request, steps=steps, seed=seed) for seed, request in enumerate(edits(num_pictures))]
    own, small = EngineConfig(), EngineConfig(prefix_dtype="int8")
    pairs = zip(*(paint(checkpoint, config, requests) for config in (own, small)), strict=True)
    decibels = sorted(psnr_db(a, b) for a, b in pairs)
    painters = [Painter(checkpoint, config) for config in (own, small)]
    moves = [[first_step(painter, checkpoint, request) for painter in painters] for request in requests[:5]]
    errors = [float(np.linalg.norm(b - a) / np.linalg.norm(a)) for a, b in moves]
    return {
        "median_db": statistics.median(decibels),
        "one_in_ten_below_db": decibels[len(decibels) // 10],
        "lowest_db": decibels[0],
        "velocity_error": statistics.median(errors),
        "bytes_per_token": [painter.bytes_per_token for painter in painters],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="checkpoint; the bundled one by default")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    arguments = parser.parse_args()
    checkpoint = load(arguments.model, arguments.dtype)
    found = {str(count): compare(checkpoint, count, arguments.steps) for count in (1, 4)}
    rows = [
        [
            name,
            f"{f['median_db']:.0f} dB",
            f"{f['one_in_ten_below_db']:.0f} dB",
            f"{f['lowest_db']:.0f} dB",
            f"{f['velocity_error']:.2%}",
            f"{f['bytes_per_token'][1] / f['bytes_per_token'][0]:.2f}",
        ]
        for name, f in found.items()
    ]
    columns = ["pictures", "median", "one in ten below", "lowest", "first step's error", "bytes"]
    report("prefix-dtype", columns, rows, {"by_pictures": found}, save=arguments.save)


if __name__ == "__main__":
    main()
