"""One request at a time, ours against diffusers: a generation, and an edit with one reference.

    python -m benchmarks.offline.single [--rounds 7] [--dtype float32] [--threads 2] [--save]

Both sides take the same checkpoint in the same dtype and paint in turn, each in a process of its own because teams of
OpenMP threads in one process slow each other down; diffusers with its KV cache on. Every round has other words and
pixels, so that our prefix cache has nothing to reuse. Prints medians, where the time goes, how far a step is from the
floor of its matrix products, and peak memory; the last line is JSON.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.offline.floor import OurStep, time_in_turn
from benchmarks.offline.options import checkpoint_options
from benchmarks.offline.sides import Outcome, fresh
from benchmarks.offline.workers import Memory, SideName, Worker
from benchmarks.report import report
from overpaint.core.config import ModelConfig
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from tests.reference.measures import psnr_db
from tests.reference.pictures import make_picture

_STAGES = ("condition", "prefill", "steps", "decode", "other")
_WARM_UPS = 2


@dataclass(frozen=True)
class Comparison:
    """One kind of request on both sides.

    Args:
        ours: outcomes of all rounds.
        theirs: outcomes of the same rounds.
        memory: by side.
        step_s: seconds of our bare step and of its floor.
        flops: of one step.
    """

    ours: list[Outcome]
    theirs: list[Outcome]
    memory: dict[SideName, Memory]
    step_s: dict[str, float]
    flops: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is: median over the rounds, each against its neighbour."""
        return median(b.seconds / a.seconds for a, b in zip(self.ours, self.theirs, strict=True))

    def figures(self) -> dict[str, Any]:
        """Everything, as plain values."""
        pixels = zip(self.ours, self.theirs, strict=True)
        return {
            "ratio": self.ratio,
            "ours_s": [outcome.seconds for outcome in self.ours],
            "diffusers_s": [outcome.seconds for outcome in self.theirs],
            "stages_ours_s": _stages(self.ours),
            "stages_diffusers_s": _stages(self.theirs),
            "step_s": self.step_s["ours"],
            "step_floor_s": self.step_s["floor"],
            "step_over_floor": self.step_s["ours"] / self.step_s["floor"],
            "step_gflop": self.flops / 1e9,
            "memory": {name: asdict(memory) for name, memory in self.memory.items()},
            "psnr_db_between_sides": median(psnr_db(np.asarray(a.image), np.asarray(b.image)) for a, b in pixels),
        }


def _stages(outcomes: list[Outcome]) -> dict[str, float]:
    return {stage: median(outcome.stages[stage] for outcome in outcomes) for stage in _STAGES}


def requests(side: int, steps: int) -> dict[str, GenerationRequest]:
    """What is painted, at the checkpoint's own area."""
    size = Size(side, side)
    picture = make_picture(side, side, "RGBA", seed=1)
    return {
        "generation": GenerationRequest("a cat on the left and a dog on the right", size=size, steps=steps, seed=0),
        "edit": GenerationRequest("replace the cat with a rocket", pictures=(picture,), size=size, steps=steps, seed=0),
    }


def compare(checkpoint: Checkpoint, request: GenerationRequest, rounds: int, threads: int | None) -> Comparison:
    """Paint in turn, then look at steps alone."""
    names: tuple[SideName, ...] = ("ours", "diffusers")
    workers: dict[SideName, Worker] = {name: Worker(name, checkpoint.info, threads) for name in names}
    memory: dict[SideName, Memory] = {
        name: worker.measure_memory(fresh(request, 900)) for name, worker in workers.items()
    }
    outcomes: dict[SideName, list[Outcome]] = {name: [] for name in names}
    for number in range(rounds + _WARM_UPS):
        for name in names if number % 2 else reversed(names):
            outcome = workers[name].paint(fresh(request, number))
            if number >= _WARM_UPS:
                outcomes[name].append(outcome)
    for worker in workers.values():
        worker.close()
    step = OurStep(checkpoint, request)
    step_s = time_in_turn({"ours": step, "floor": step.bare()}, 10 * rounds)
    return Comparison(outcomes["ours"], outcomes["diffusers"], memory, step_s, step.shape.flops)


def rows_of(kind: str, comparison: Comparison) -> list[list[str]]:
    """The table's rows for one kind of request."""
    figures = comparison.figures()
    ours, theirs = figures["stages_ours_s"], figures["stages_diffusers_s"]
    totals = [median(figures["ours_s"]), median(figures["diffusers_s"])]
    rows = [[kind, _ms(totals[0]), _ms(totals[1]), f"{comparison.ratio:.2f}x"]]
    rows += [
        [f"  {stage}", _ms(ours[stage]), _ms(theirs[stage]), _times(theirs[stage], ours[stage])] for stage in _STAGES
    ]
    over = f"{figures['step_over_floor']:.2f}x the floor"
    rows.append(["  one step, and its bare products", _ms(figures["step_s"]), _ms(figures["step_floor_s"]), over])
    mine, other = comparison.memory["ours"], comparison.memory["diffusers"]
    for name in ("peak_mib", "growth_mib"):
        a, b = getattr(mine, name), getattr(other, name)
        rows.append([f"  memory, {name.removesuffix('_mib')}", f"{a:.0f} MiB", f"{b:.0f} MiB", f"{a / max(b, 1):.2f}"])
    return rows


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def _times(theirs: float, ours: float) -> str:
    return f"{theirs / ours:.2f}x" if ours > 1e-5 else ""


def main() -> None:
    parser = checkpoint_options(__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, help="the checkpoint's own by default")
    parser.add_argument("--threads", type=int, help="for torch; its own choice by default")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    checkpoint = load_checkpoint(ModelConfig(arguments.model, arguments.device, arguments.dtype))
    info = checkpoint.info
    todo = requests(int(info.reference_area**0.5), arguments.steps or info.default_steps)
    found = {kind: compare(checkpoint, request, arguments.rounds, arguments.threads) for kind, request in todo.items()}
    rows = [row for kind, comparison in found.items() for row in rows_of(kind, comparison)]
    figures = {
        "model": info.name,
        "dtype": info.dtype,
        "device": info.device,
        "threads": torch.get_num_threads(),
        **{kind: comparison.figures() for kind, comparison in found.items()},
    }
    title = f"{info.name}, {info.dtype} on {info.device}, {torch.get_num_threads()} threads"
    report("single", [title, "ours", "diffusers", "ratio"], rows, figures, save=arguments.save)


if __name__ == "__main__":
    main()
