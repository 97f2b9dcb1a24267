"""Frozen configuration values, checked at construction.

Knows nothing of flags, files or environment: `settings` reads those.
"""

from dataclasses import dataclass
from typing import Literal

from overpaint.core.errors import ConfigError

Device = Literal["auto", "cuda", "mps", "cpu"]
Dtype = Literal["auto", "bfloat16", "float16", "float32"]
DEVICES: tuple[Device, ...] = ("auto", "cuda", "mps", "cpu")
DTYPES: tuple[Dtype, ...] = ("auto", "bfloat16", "float16", "float32")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which checkpoint to load, and where to.

    Args:
        source: folder or hub id; None is the bundled checkpoint.
        device: ``"auto"`` takes cuda, else mps, else cpu.
        dtype: ``"auto"`` takes bfloat16 where the device computes in it, else float32.
    """

    source: str | None = None
    device: str = "auto"
    dtype: str = "auto"

    def __post_init__(self) -> None:
        _one_of("device", self.device.split(":")[0], DEVICES)
        _one_of("dtype", self.dtype, DTYPES)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How the engine schedules.

    Args:
        max_running: sequences that step together at most.
    """

    max_running: int = 8

    def __post_init__(self) -> None:
        if self.max_running < 1:
            raise ConfigError(f"max_running: {self.max_running} must be at least 1")


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{key}: {value!r} must be one of {', '.join(allowed)}")
