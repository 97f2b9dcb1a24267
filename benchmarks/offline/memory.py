"""Peak memory of one side, measured in a process of its own: what one leaves behind must not count for the other."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from benchmarks.offline.sides import Diffusers, Ours, Side
from overpaint.core.config import ModelConfig
from overpaint.core.model_info import ModelInfo
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.model.checkpoint import load_checkpoint

SideName = Literal["ours", "diffusers"]
_STATUS = Path("/proc/self/status")
_CLEAR_PEAK = Path("/proc/self/clear_refs")
_MIB = 2**20


@dataclass(frozen=True)
class Memory:
    """Memory of the device, or of the process on a CPU.

    Args:
        loaded_mib: with the weights in place, after a short warm-up.
        peak_mib: the most while painting.
    """

    loaded_mib: float
    peak_mib: float

    @property
    def growth_mib(self) -> float:
        """What painting needs beyond the weights."""
        return self.peak_mib - self.loaded_mib


def measure_memory(side: SideName, info: ModelInfo, request: GenerationRequest, threads: int) -> Memory:
    """Load one side in a fresh process, warm it up with a small picture, paint once, and look at the peak."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measure, side, info, request, threads).result()


def _measure(name: SideName, info: ModelInfo, request: GenerationRequest, threads: int) -> Memory:
    torch.set_num_threads(threads)
    side = _open(name, info)
    side.paint(GenerationRequest("warm up", size=Size(64, 64), steps=2, seed=0))
    loaded = _now_mib()
    _reset_peak()
    side.paint(request)
    memory = Memory(loaded, _peak_mib())
    if isinstance(side, Ours):
        side.close()
    return memory


def _open(name: SideName, info: ModelInfo) -> Side:
    if name == "diffusers":
        return Diffusers(info)
    return Ours(load_checkpoint(ModelConfig(info.path, info.device, info.dtype)))


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
