"""What `auto` means for a device and a dtype, and memory given back to the machine. Knows nothing of checkpoints."""

import ctypes
import sys
from collections.abc import Callable
from contextlib import suppress
from mmap import mmap
from typing import Any
from weakref import finalize

import numpy as np
import psutil
import torch

from overpaint.core import SettingError

# Of malloc.h; `mallopt` answers 0 to what it does not know, which is as good as not asking.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 64 * 2**20
_BF16_CAPABILITY = (8, 0)
_PORTABLE = 1
"""Of cuda_runtime_api.h (`cudaHostRegisterPortable`): pinned for all devices, whichever is current."""


def resolve_device(name: str) -> torch.device:
    """The device that `name` means; `auto` takes cuda, else mps, else cpu. Of CUDA it has a number: the first, if none.

    Not all of `torch.cuda` takes a device without one, and modules that were moved to such a device say one with it.

    Raises:
        ConfigError: the device is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SettingError("device", f"{name!r} is no device; name one of several as cuda:1") from error
    present = {"cuda": _num_cuda, "mps": torch.backends.mps.is_available}
    if device.type in present and (device.index or 0) >= present[device.type]():
        raise SettingError("device", f"{name!r} is not there; use auto or cpu")
    return torch.device("cuda", 0) if name == "cuda" else device


def _num_cuda() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype that `name` means; `auto` takes bfloat16 where the device multiplies in it, else float32."""
    if name != "auto":
        return getattr(torch, name)
    native = {"cuda": lambda: _has_cuda_bfloat16(device), "mps": lambda: True, "cpu": has_cpu_bfloat16}
    return torch.bfloat16 if native[device.type]() else torch.float32


def use_device(device: torch.device) -> None:
    """Have this thread mean a device where it names none: a thread of its own begins with the first one of CUDA."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def free_bytes(device: torch.device) -> int:
    """Memory of a device that nobody has taken, within this process's share of it.

    What PyTorch keeps for later is given back first: after fusing that is nearly half of the weights' bytes.
    """
    if device.type != "cuda":
        return psutil.virtual_memory().available
    with torch.cuda.device(device):  # or it takes memory of the card that the thread means
        torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info(device)
    allowed = int(torch.cuda.get_per_process_memory_fraction(device) * total) - torch.cuda.memory_reserved(device)
    return max(0, min(free, allowed))


def wait_for(device: torch.device) -> None:
    """Wait for what this thread has queued on a device, not for what is done beside it."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()


def responds(device: torch.device) -> bool:
    """Whether a device still computes; after some errors CUDA never does again in the process that saw them.

    It is asked twice: other errors CUDA blames on what is launched next, once.
    """
    return _computes(device) or _computes(device)


def _computes(device: torch.device) -> bool:
    try:
        torch.zeros(1, device=device)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    except torch.OutOfMemoryError:
        return True  # it is full, which only a living one can tell
    except RuntimeError:
        return False
    return True


def _has_cuda_bfloat16(device: torch.device) -> bool:
    """Whether a card multiplies bfloat16 in hardware; PyTorch's own answer counts emulation, on the current device."""
    return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= _BF16_CAPABILITY


def has_cpu_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    probes = (_cpu_probe("_is_avx512_bf16_supported"), _cpu_probe("_is_amx_tile_supported"))
    return any(probe() for probe in probes)


def _cpu_probe(name: str) -> Callable[[], bool]:
    return getattr(torch.cpu, name, lambda: False)


def move(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The same tensor on another device; in the host's memory in pages that the device reads without a copy."""
    if device.type == "cpu" and x.device.type == "cuda":
        return pinned(x.nbytes).view(x.dtype).view(x.shape).copy_(x)
    return x.to(device)


def pinned(num_bytes: int) -> torch.Tensor:
    """Memory of the host that CUDA reads and writes without a copy: `(num_bytes,)` uint8.

    In pages of its own, registered with CUDA: PyTorch's allocator of such memory takes the next power of two, up to
    twice as much, and keeps it.

    Raises:
        OSError: the host has no such memory.
        RuntimeError: CUDA cannot pin it.
    """
    pages = np.frombuffer(mmap(-1, max(1, num_bytes)), np.uint8)
    runtime: Any = torch.cuda.cudart()
    address = pages.ctypes.data
    if failure := int(runtime.cudaHostRegister(address, pages.nbytes, _PORTABLE)):
        with suppress(RuntimeError):
            torch.zeros(1, device="cuda")  # CUDA keeps the failure, and blames it on what is launched next
        raise RuntimeError(f"{num_bytes} bytes of the host's memory cannot be pinned: CUDA error {failure}")
    # Not at exit: CUDA may be gone by then, and the pages go with the process.
    finalize(pages, runtime.cudaHostUnregister, address).atexit = False
    return torch.from_numpy(pages)[:num_bytes]


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
