"""One picture on its way, as the scheduler sees it: how far it is and what it holds. Torch-free."""

from dataclasses import dataclass
from enum import IntEnum

from overpaint.engine.job import SequenceSpec


class SequenceState(IntEnum):
    """Ordered: a later state never goes back to an earlier one; from `FINISHED` on nothing is held."""

    WAITING = 0
    RUNNING = 1
    FINISHED = 2


@dataclass(slots=True)
class Sequence:
    """A sequence's progress.

    Args:
        spec: what it is.
        state: where it is.
        step: denoising steps done.
    """

    spec: SequenceSpec
    state: SequenceState = SequenceState.WAITING
    step: int = 0

    @property
    def is_painted(self) -> bool:
        """Whether all its steps are done and only decoding is left."""
        return self.step == self.spec.num_steps
