"""What the engine counts, as plain numbers for metrics, benchmarks and people. Torch-free."""

from dataclasses import dataclass

from overpaint.engine.limits import Costs


@dataclass(frozen=True, slots=True)
class Calibration:
    """What calibration found.

    Args:
        tick_tokens: tokens worth stepping together.
        costs: of each kind of work.
        seconds: measured time of a step, by tokens.
    """

    tick_tokens: int
    costs: Costs
    seconds: dict[int, float]


@dataclass(slots=True)
class EngineStats:
    """Counters since the start.

    Args:
        num_ticks: plans carried out.
        num_steps: denoising steps of single pictures.
        num_preemptions: times a running picture was sent back to wait.
        num_evictions: prefixes given up for others.
        prefix_tokens: tokens of all prefixes that requests came with.
        prefix_tokens_reused: those of them that had not to be computed.
    """

    num_ticks: int = 0
    num_steps: int = 0
    num_preemptions: int = 0
    num_evictions: int = 0
    prefix_tokens: int = 0
    prefix_tokens_reused: int = 0
