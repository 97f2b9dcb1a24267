"""What `auto` means for a device and a dtype, and memory given back to the machine. Knows nothing of checkpoints."""

import ctypes
import sys
from collections.abc import Callable

import psutil
import torch

from overpaint.core import ConfigError

# Of malloc.h; `mallopt` answers 0 to what it does not know, which is as good as not asking.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 64 * 2**20


def resolve_device(name: str) -> torch.device:
    """The device that `name` means; `auto` takes cuda, else mps, else cpu.

    Raises:
        ConfigError: the device is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    present = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device.type in present and not present[device.type]():
        raise ConfigError(f"device: {name!r} is not there; use auto or cpu")
    return device


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype that `name` means; `auto` takes bfloat16 where the device multiplies in it, else float32."""
    if name != "auto":
        return getattr(torch, name)
    native = {"cuda": torch.cuda.is_bf16_supported, "mps": lambda: True, "cpu": has_cpu_bfloat16}
    return torch.bfloat16 if native[device.type]() else torch.float32


def free_bytes(device: torch.device) -> int:
    """Memory of a device that nobody has taken, within this process's share of it."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    free, total = torch.cuda.mem_get_info(device)
    allowed = int(torch.cuda.get_per_process_memory_fraction(device) * total) - torch.cuda.memory_reserved(device)
    return max(0, min(free, allowed))


def has_cpu_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    probes = (_cpu_probe("_is_avx512_bf16_supported"), _cpu_probe("_is_amx_tile_supported"))
    return any(probe() for probe in probes)


def _cpu_probe(name: str) -> Callable[[], bool]:
    return getattr(torch.cpu, name, lambda: False)


def move(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The same tensor on another device; in the host's memory in pages that the device reads without a copy."""
    if device.type == "cpu" and x.device.type == "cuda":
        return torch.empty_like(x, device=device, pin_memory=True).copy_(x)
    return x.to(device)


def keep_host_memory() -> None:
    """Have freed memory reused instead of unmapped, where the C library can; call it before other threads allocate.

    glibc gives every thread a heap of its own in pieces of 64 MiB. When a piece is full, a large block opens the next
    one and freeing it unmaps that again: some decodes of a small picture spent as long on page faults as on pixels.
    """
    if sys.platform == "linux":
        tune = getattr(ctypes.CDLL(None), "mallopt", None)
        if tune:
            tune(_M_ARENA_MAX, 1)
            tune(_M_MMAP_THRESHOLD, _KEPT_BYTES // 2)
            tune(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back_host_memory() -> None:
    """Return freed pages of the heap to the system, where the C library can: loading and fusing leave holes in it."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own; others have none
        if trim:
            trim(0)
