"""What passes through the two doors between scheduler and runner: a plan in, a result out. Frozen and torch-free."""

from dataclasses import dataclass, field

from overpaint.core import OverpaintError, Picture
from overpaint.engine.job import BlockKey, PrefixKey, PrefixSpec, SequenceId


@dataclass(frozen=True, slots=True)
class PrefixWork:
    """Do one unit of work on a prefix: read some of its blocks and run them.

    Args:
        spec: which prefix; what stands of it, or lies in the host's memory, is not computed again.
        max_tokens: prefix tokens to run at most (one block at least).
        users: who needs it.
    """

    spec: PrefixSpec
    max_tokens: int
    users: tuple[SequenceId, ...] = ()


@dataclass(frozen=True, slots=True)
class StepWork:
    """Take sequence `sequence_id` from `step` to `step + 1`; `alone` when nothing may share the pass."""

    sequence_id: SequenceId
    step: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One tick, in the order it is carried out; pictures are decoded beside the passes where the device can.

    Args:
        drop: sequences to forget.
        spill: blocks of prefixes to move to the host's memory.
        release: blocks to free, wherever they are.
        prefill: work on one prefix, if any.
        denoise: sequences that step.
        preview: those of them to look at afterwards.
        decode: sequences to turn into pictures.
    """

    drop: tuple[SequenceId, ...] = ()
    spill: tuple[BlockKey, ...] = ()
    release: tuple[BlockKey, ...] = ()
    prefill: PrefixWork | None = None
    denoise: tuple[StepWork, ...] = ()
    preview: tuple[SequenceId, ...] = ()
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
    preview_s: float = 0.0
    decode_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of a plan; what is in neither `failed` nor the other fields was not in the plan.

    Args:
        prefilled: the prefix that is complete now; None when work on it goes on.
        prefill_tokens: prefix tokens that were run.
        stepped: the steps that were taken.
        previews: small pictures, by sequence.
        decoded: the pictures, by sequence.
        lost: blocks that were to go to the host's memory and had no room there; they are built again when needed.
        failed_prefix: the prefix that could not be built, and why.
        failed: what else went wrong, by sequence; the rest of the tick is valid.
        crowd: sequences of a pack that did not fit into the device's memory, so that they stepped one by one.
        times: where the tick's time went.
    """

    prefilled: PrefixKey | None = None
    prefill_tokens: int = 0
    stepped: tuple[StepWork, ...] = ()
    previews: tuple[tuple[SequenceId, Picture], ...] = ()
    decoded: tuple[tuple[SequenceId, Picture], ...] = ()
    lost: tuple[BlockKey, ...] = ()
    failed_prefix: tuple[PrefixKey, OverpaintError] | None = None
    failed: tuple[tuple[SequenceId, OverpaintError], ...] = ()
    crowd: tuple[SequenceId, ...] = ()
    times: StageTimes = field(default_factory=StageTimes)
