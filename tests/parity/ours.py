"""Our engine, driven tick by tick, so that final latents can be looked at before they are let go."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from overpaint.core.request import GenerationRequest
from overpaint.engine.job import SequenceId, plan_job
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


def paint_together(
    checkpoint: Checkpoint, requests: Sequence[GenerationRequest], *, max_running: int = 64
) -> list[Painted]:
    """Paint all requests in one engine, packed as far as `max_running` allows; any failure is raised."""
    painter, scheduler = Painter(checkpoint), Scheduler(max_running)
    runner = Runner(painter, scheduler.users_of)
    jobs = [plan_job(str(index), request, checkpoint.info) for index, request in enumerate(requests)]
    for job in jobs:
        painter.admit(job)
        scheduler.add(job.sequences)
    latents: dict[SequenceId, torch.Tensor] = {}
    pixels: dict[SequenceId, np.ndarray] = {}
    while not (plan := scheduler.schedule()).is_empty:
        _tick(plan, painter, runner, scheduler, latents, pixels)
    assert painter.held == (frozenset(), frozenset())
    names = [[spec.sequence_id for spec in job.sequences] for job in jobs]
    return [Painted([latents[name] for name in job], [pixels[name] for name in job]) for job in names]


def _tick(
    plan: StepPlan,
    painter: Painter,
    runner: Runner,
    scheduler: Scheduler,
    latents: dict[SequenceId, torch.Tensor],
    pixels: dict[SequenceId, np.ndarray],
) -> None:
    latents.update({sequence_id: painter.latents(sequence_id).float().cpu() for sequence_id in plan.decode})
    result = runner.execute(plan)
    for _, error in result.failed:
        raise error
    for sequence_id, picture in result.decoded:
        flat = np.frombuffer(picture.data, np.uint8)
        pixels[sequence_id] = flat.reshape(picture.height, picture.width, -1)
    scheduler.apply(result)
    scheduler.check_integrity()


def paint_alone(checkpoint: Checkpoint, request: GenerationRequest) -> Painted:
    """Paint one request with nobody beside it."""
    return paint_together(checkpoint, [request])[0]
