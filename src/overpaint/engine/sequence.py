"""One picture on its way, as the scheduler sees it: how far it is and how long it has waited. Torch-free."""

from dataclasses import dataclass, field
from enum import IntEnum

from overpaint.engine.job import SequenceSpec


class SequenceState(IntEnum):
    """Where a sequence is. A running one may be sent back to wait: its latents stay, its prefix may go."""

    WAITING = 0
    RUNNING = 1
    FINISHED = 2


@dataclass(slots=True)
class Sequence:
    """A sequence's progress.

    Args:
        spec: what it is.
        arrived_at: the device's work when it came, in tokens (see `policy`).
        order: its place among all arrivals.
        state: where it is.
        step: denoising steps done.
        rank: its class in the tick that is planned, lifted by how long it was kept waiting; lower is more urgent.
        step_tokens: of `spec`, where it is read for everyone in every tick.
    """

    spec: SequenceSpec
    arrived_at: float = 0
    order: int = 0
    state: SequenceState = SequenceState.WAITING
    step: int = 0
    rank: int = 0
    step_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        self.step_tokens = self.spec.step_tokens

    @property
    def is_painted(self) -> bool:
        """Whether all its steps are done and only decoding is left."""
        return self.step == self.spec.num_steps

    @property
    def remaining_tokens(self) -> int:
        """Work left, in tokens to step."""
        return (self.spec.num_steps - self.step) * self.step_tokens
