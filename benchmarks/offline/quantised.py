"""What weights in fewer bits save and what they cost in quality, against the checkpoint as it is.

    python -m benchmarks.offline.quantised [--save]

Generations and edits in turn, each painted by all kinds from the same noise. The error of the velocity is taken where
the unquantised run stands, at the first, a middle and the last step, relative to the velocity, for each picture; PSNR
is of the final pictures. The first row is what bfloat16 itself costs against float32. No times: on a CPU without
kernels of their own, fewer bits are slower, and no figure of a GPU can be had from one.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.offline.options import checkpoint_options
from benchmarks.offline.workload import WORDS, sample_pictures
from benchmarks.report import report
from overpaint.core.config import ModelConfig
from overpaint.core.request import GenerationRequest
from overpaint.model.blocks import prepare_blocks
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from overpaint.model.hosting import HostedGroup
from tests.parity.ours import Bench
from tests.reference.gguf_files import write_gguf
from tests.reference.measures import psnr_db

STEPS = 20
LOOKED_AT = (0, STEPS // 2, STEPS - 1)
TORCHAO = ("int8", "fp8", "int4")
GGUF = ("Q8_0", "Q4_0")


def requests(count: int) -> list[GenerationRequest]:
    """Every second one edits a picture."""
    pictures = sample_pictures()
    return [
        GenerationRequest(
            WORDS[index % len(WORDS)],
            pictures=(pictures[index % len(pictures)],) if index % 2 else (),
            steps=STEPS,
            seed=index,
        )
        for index in range(count)
    ]


class Run:
    """One request on one checkpoint, a step at a time.

    Args:
        checkpoint: loaded.
        request: to paint.
    """

    def __init__(self, checkpoint: Checkpoint, request: GenerationRequest) -> None:
        self.bench = Bench(checkpoint)
        self.bench.submit("it", request)

    def step(self, latents: Tensor | None) -> tuple[Tensor, Tensor]:
        """Take one step, from given latents if there are any: latents before it, and its velocity."""
        painting = self.bench.painter._paintings["it/0"]
        before = painting.step
        if latents is not None:
            painting.latents = latents.clone()
        start = painting.latents.float()
        while painting.step == before:
            self.bench.tick()
        assert painting.velocity is not None
        return start, painting.velocity.float()


def walk(checkpoint: Checkpoint, request: GenerationRequest, stations: dict[int, Tensor]) -> dict[int, Tensor]:
    """Velocities at the looked-at steps; `stations` are filled when empty, else each such step starts from them."""
    run, found, is_first = Run(checkpoint, request), {}, not stations
    for step in range(STEPS):
        latents, velocity = run.step(stations.get(step))
        if step in LOOKED_AT:
            found[step] = velocity
            if is_first:
                stations[step] = latents
    return found


def compare(exact: Checkpoint, others: dict[str, Checkpoint], count: int) -> dict[str, dict[str, float]]:
    """Errors and PSNR of every kind."""
    errors: dict[str, list[float]] = {name: [] for name in others}
    quality: dict[str, list[float]] = {name: [] for name in others}
    for request in requests(count):
        stations: dict[int, Tensor] = {}
        truth, picture = walk(exact, request, stations), _paint(exact, request)
        for name, checkpoint in others.items():
            velocities = walk(checkpoint, request, stations)
            errors[name] += [float((velocities[k] - truth[k]).norm() / truth[k].norm()) for k in LOOKED_AT]
            quality[name].append(psnr_db(_paint(checkpoint, request), picture))
    return {
        name: {
            "mean_error": statistics.mean(errors[name]),
            "max_error": max(errors[name]),
            "psnr_median_db": statistics.median(quality[name]),
            "psnr_min_db": min(quality[name]),
        }
        for name in others
    }


def _paint(checkpoint: Checkpoint, request: GenerationRequest) -> np.ndarray:
    bench = Bench(checkpoint)
    bench.submit("it", request)
    bench.run()
    return bench.painted("it").pixels[0]


def held_bytes(checkpoint: Checkpoint) -> int:
    """Of all blocks, as they are held on the device; the checkpoint cannot be used afterwards."""
    prepare_blocks(checkpoint.transformer, checkpoint.blocks)
    return sum(HostedGroup(block.parameters()).num_bytes for block in checkpoint.transformer.transformer_blocks)


def main() -> None:
    parser = checkpoint_options(__doc__)
    parser.add_argument("--count", type=int, default=20, help="requests")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    config = ModelConfig(arguments.model, device="cpu", dtype="bfloat16")
    plain = load_checkpoint(config)
    with tempfile.TemporaryDirectory() as folder:
        ways = {kind: replace(config, weights=kind) for kind in TORCHAO}
        for kind in GGUF:
            file = write_gguf(Path(folder) / f"{kind}.gguf", Path(plain.info.path) / "transformer", kind)
            ways[kind] = replace(config, transformer=file)
        exact = load_checkpoint(replace(config, dtype="float32"))
        found = compare(exact, {"bf16 to float32": plain}, arguments.count)
        found |= compare(plain, {kind: load_checkpoint(way) for kind, way in ways.items()}, arguments.count)
        whole = held_bytes(load_checkpoint(config))
        shares = {kind: held_bytes(load_checkpoint(way)) / whole for kind, way in ways.items()}
    for kind in found:
        found[kind]["share_of_bytes"] = shares.get(kind, 1.0)
    rows = [
        [kind, f"{f['share_of_bytes']:.2f}", f"{f['mean_error']:.4f}", f"{f['max_error']:.4f}",
         f"{f['psnr_median_db']:.1f} dB", f"{f['psnr_min_db']:.1f} dB"]
        for kind, f in found.items()
    ]  # fmt: skip
    columns = ["weights", "bytes of blocks", "velocity error, mean", "largest", "PSNR, median", "lowest"]
    report("quantised", columns, rows, {"kinds": found, "count": arguments.count, "steps": STEPS}, save=arguments.save)


if __name__ == "__main__":
    main()
