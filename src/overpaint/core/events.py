"""What an engine tells about a task while it works on it. Frozen plain values; the last one ends the stream."""

from dataclasses import dataclass
from typing import Literal

from overpaint.core.errors import OverpaintError
from overpaint.core.picture import Picture
from overpaint.core.result import GenerationResult

Stage = Literal["queued", "condition", "denoise", "decode"]


@dataclass(frozen=True, slots=True)
class Progress:
    """The task moved on.

    Args:
        stage: what is being done now.
        step: denoising steps done, summed over the task's pictures.
        num_steps: denoising steps of the whole task.
    """

    task_id: str
    stage: Stage
    step: int
    num_steps: int


@dataclass(frozen=True, slots=True)
class Preview:
    """A small, rough look at picture `index` after `step` steps."""

    task_id: str
    index: int
    step: int
    picture: Picture


@dataclass(frozen=True, slots=True)
class Finished:
    """The task is done; ends the stream."""

    task_id: str
    result: GenerationResult


@dataclass(frozen=True, slots=True)
class Failed:
    """The task ended without a result (a cancelled one too); ends the stream."""

    task_id: str
    error: OverpaintError


Event = Progress | Preview | Finished | Failed


def is_final(event: Event) -> bool:
    """Whether `event` ends its task's stream."""
    return isinstance(event, Finished | Failed)
