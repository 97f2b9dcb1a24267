"""What the engine counts while it works, and what it measured of its device. Torch-free."""

from dataclasses import asdict, dataclass, fields

from overpaint.core.engine_stats import EngineStats
from overpaint.engine.limits import Costs
from overpaint.engine.plan import StageTimes, StepResult


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
class Counters:
    """What grows in `EngineStats` while plans are carried out; the fields mean what they mean there."""

    num_ticks: int = 0
    num_steps: int = 0
    num_preemptions: int = 0
    num_evictions: int = 0
    prefix_tokens: int = 0
    prefix_tokens_reused: int = 0
    condition_s: float = 0.0
    prefill_s: float = 0.0
    denoise_s: float = 0.0
    preview_s: float = 0.0
    decode_s: float = 0.0
    num_passes: int = 0

    def saw(self, result: StepResult) -> None:
        """Count a tick."""
        self.num_ticks += 1
        self.num_passes += bool(result.stepped)
        for stage in fields(StageTimes):
            setattr(self, stage.name, getattr(self, stage.name) + getattr(result.times, stage.name))

    def told(self, **others: float) -> EngineStats:
        """As a value, with what is counted elsewhere."""
        values: dict[str, float] = asdict(self) | others
        return EngineStats(**values)  # pyright: ignore[reportArgumentType]  each field has its own kind of number
