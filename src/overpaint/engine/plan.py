"""What passes through the two doors between scheduler and runner: a plan in, a result out. Frozen and torch-free."""

from dataclasses import dataclass

from overpaint.core import OverpaintError, Picture
from overpaint.engine.job import PrefixKey, SequenceId


@dataclass(frozen=True, slots=True)
class StepWork:
    """Take sequence `sequence_id` from `step` to `step + 1`."""

    sequence_id: SequenceId
    step: int


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One tick, in the order it is carried out.

    Args:
        drop: sequences to forget.
        release: prefixes to free.
        prefill: the one prefix to build, if any.
        denoise: sequences that step, together.
        decode: sequences to turn into pictures.
    """

    drop: tuple[SequenceId, ...] = ()
    release: tuple[PrefixKey, ...] = ()
    prefill: PrefixKey | None = None
    denoise: tuple[StepWork, ...] = ()
    decode: tuple[SequenceId, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return self == StepPlan()


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Seconds a tick spent in each stage."""

    condition_s: float = 0.0
    prefill_s: float = 0.0
    denoise_s: float = 0.0
    decode_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of a plan; what is in neither `failed` nor the other fields was not in the plan.

    Args:
        prefilled: the prefix that was built.
        stepped: the steps that were taken.
        decoded: the pictures, by sequence.
        failed: what went wrong, by sequence; the rest of the tick is valid.
        times: where the tick's time went.
    """

    prefilled: PrefixKey | None = None
    stepped: tuple[StepWork, ...] = ()
    decoded: tuple[tuple[SequenceId, Picture], ...] = ()
    failed: tuple[tuple[SequenceId, OverpaintError], ...] = ()
    times: StageTimes = StageTimes()
