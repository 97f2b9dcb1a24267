"""Our engine, driven tick by tick, so that final latents can be looked at before they are let go."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from overpaint.core.config import EngineConfig
from overpaint.core.request import GenerationRequest
from overpaint.core.terms import Terms
from overpaint.engine.job import JobPlanner, SequenceId
from overpaint.engine.limits import Limits
from overpaint.engine.painter import Painter
from overpaint.engine.plan import StepPlan
from overpaint.engine.runner import Runner
from overpaint.engine.scheduler import Scheduler
from overpaint.model.checkpoint import Checkpoint


@dataclass(slots=True)
class Painted:
    """What came of one request: per image final latents `(tokens, channels)` and RGBA pixels."""

    latents: list[torch.Tensor] = field(default_factory=list)
    pixels: list[np.ndarray] = field(default_factory=list)


class Bench:
    """An engine without its thread: jobs come in when a test says so, and every tick is checked.

    Args:
        checkpoint: loaded.
        limits: of the scheduler; `bytes_per_token` is filled in.
        config: of the painter.
    """

    def __init__(
        self, checkpoint: Checkpoint, limits: Limits | None = None, config: EngineConfig | None = None
    ) -> None:
        self.painter = Painter(checkpoint, config)
        self._planner = JobPlanner(checkpoint.info, self.painter.conditioner.count_tokens)
        limits = replace(
            limits or Limits(max_running=64),
            bytes_per_token=self.painter.bytes_per_token,
            encoder_bytes_per_token=self.painter.conditioner.bytes_per_token,
        )
        self.scheduler = Scheduler(limits)
        self._runner = Runner(self.painter)
        self._latents: dict[SequenceId, torch.Tensor] = {}
        self._pixels: dict[SequenceId, np.ndarray] = {}

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms | None = None) -> None:
        """Bring a request in."""
        job = self._planner.plan(task_id, request, terms or Terms())
        for spec in job.prefixes:
            self.painter.prefixes.prepare(spec)
        if error := self._runner.admit(job, self.painter.adapters.open(job.adapters)):
            raise error
        self.scheduler.add(job)

    def tick(self) -> StepPlan:
        """Plan and carry out one tick; any failure is raised."""
        plan = self.scheduler.schedule()
        self._latents.update({key: self.painter.latents(key).float().cpu() for key in plan.decode})
        result = self._runner.execute(plan)
        for _, error in (*result.failed, *([result.failed_prefix] if result.failed_prefix else [])):
            raise error
        for sequence_id, picture in result.decoded:
            flat = np.frombuffer(picture.data, np.uint8)
            self._pixels[sequence_id] = flat.reshape(picture.height, picture.width, -1)
        self.scheduler.apply(result)
        self.scheduler.check_integrity()
        return plan

    def run(self, num_ticks: int | None = None) -> None:
        """Tick until nothing is left, or so many times."""
        for _ in range(10_000 if num_ticks is None else num_ticks):
            if not self.scheduler.has_work:
                break
            self.tick()
        if num_ticks is None:
            assert not self.scheduler.has_work
            assert self.painter.held == (self.scheduler.held_blocks, frozenset())

    def painted(self, task_id: str, num_images: int = 1) -> Painted:
        """What came of a task."""
        names = [f"{task_id}/{index}" for index in range(num_images)]
        return Painted([self._latents[name] for name in names], [self._pixels[name] for name in names])


def paint_together(
    checkpoint: Checkpoint, requests: Sequence[GenerationRequest], *, max_running: int = 64
) -> list[Painted]:
    """Paint all requests in one engine, packed as far as `max_running` allows; any failure is raised."""
    bench = Bench(checkpoint, Limits(max_running=max_running))
    for index, request in enumerate(requests):
        bench.submit(str(index), request)
    bench.run()
    return [bench.painted(str(index), request.num_images) for index, request in enumerate(requests)]


def paint_alone(checkpoint: Checkpoint, request: GenerationRequest) -> Painted:
    """Paint one request with nobody beside it."""
    return paint_together(checkpoint, [request])[0]
