"""Seconds and memory on a device, several sides in turn. Knows nothing of what is timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch


def timed(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of a call on the device."""
    synchronize(device)
    start = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device: torch.device) -> None:
    """Wait for all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_turn(calls: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each, after a call of each that does not count, alternating."""
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(timed(call, device))
    return {name: median(values) for name, values in seconds.items()}


def peak_gib(call: Callable[[], object], device: torch.device) -> float | None:
    """The most memory that a call has the device hold; None where nobody counts."""
    if device.type != "cuda":
        call()
        return None
    torch.cuda.reset_peak_memory_stats(device)
    call()
    synchronize(device)
    return torch.cuda.max_memory_allocated(device) / 2**30


def peak_tflops(side: int, device: torch.device, dtype: torch.dtype) -> float:
    """What one large product reaches here; the median of several."""
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = [timed(lambda: a @ b, device) for _ in range(30)][10:]
    return 2 * side**3 / median(seconds) / 1e12
