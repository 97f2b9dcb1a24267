"""Each side in a process of its own, painting in turn; so their memory can be told apart as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from benchmarks.offline.resident import Resident
from benchmarks.offline.sides import Diffusers, Ours, Outcome, Side
from overpaint.core.config import ModelConfig
from overpaint.core.model_info import ModelInfo
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.engine.local import LocalEngine

SideName = Literal["ours", "diffusers"]
_STATUS = Path("/proc/self/status")
_CLEAR_PEAK = Path("/proc/self/clear_refs")
_MIB = 2**20
_WARM_UP = GenerationRequest("warm up", size=Size(64, 64), steps=2, seed=0)


@dataclass(frozen=True)
class Memory:
    """Memory of the device, or of the process on a CPU.

    Args:
        loaded_mib: with the weights in place, after a small picture.
        peak_mib: the most while painting the first real one.
    """

    loaded_mib: float
    peak_mib: float

    @property
    def growth_mib(self) -> float:
        """What painting needs beyond the weights."""
        return self.peak_mib - self.loaded_mib


class Worker:
    """One side in its own process, idle between calls.

    Args:
        name: which side.
        info: of the checkpoint it takes.
        threads: for torch; None leaves its default.
    """

    def __init__(self, name: SideName, info: ModelInfo, threads: int | None) -> None:
        self._side: Resident[Side] = Resident(_open_side, name, info, threads)

    def measure_memory(self, request: GenerationRequest) -> Memory:
        """Paint once after a small warm-up and look at the peak; call it first."""
        return self._side.call(_measure_memory, request)

    def paint(self, request: GenerationRequest) -> Outcome:
        """Paint one request while the other side is idle."""
        return self._side.call(_paint, request)

    def close(self) -> None:
        """End the process."""
        self._side.close()


@contextmanager
def _open_side(name: SideName, info: ModelInfo, threads: int | None) -> Iterator[Side]:
    if threads:
        torch.set_num_threads(threads)
    if name == "diffusers":
        yield Diffusers(info)
        return
    ours = Ours(LocalEngine.open(ModelConfig(info.path, info.device, info.dtype)))
    yield ours
    ours.close()


def _paint(side: Side, request: GenerationRequest) -> Outcome:
    return side.paint(request)


def _measure_memory(side: Side, request: GenerationRequest) -> Memory:
    side.paint(_WARM_UP)
    loaded = _now_mib()
    _reset_peak()
    side.paint(request)
    return Memory(loaded, _peak_mib())


def _now_mib() -> float:
    return torch.cuda.memory_allocated() / _MIB if torch.cuda.is_available() else _status_mib("VmRSS")


def _peak_mib() -> float:
    return torch.cuda.max_memory_allocated() / _MIB if torch.cuda.is_available() else _status_mib("VmHWM")


def _reset_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    else:
        _CLEAR_PEAK.write_text("5")


def _status_mib(key: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) / 1024
