"""What a failure of the device is called: any exception in, the error that a caller is told out.

Knows no sequences and decides nothing about them.
"""

import logging

import torch

from overpaint.core import BackendError, CapacityError, OverpaintError

_log = logging.getLogger(__name__)
_WANT_OF_MEMORY = ("CUDA error: out of memory", "_STATUS_ALLOC_FAILED")


def told(error: Exception) -> OverpaintError:
    """The error a caller is told; the whole of one that is not ours goes to the log."""
    if isinstance(error, OverpaintError):
        return error
    _log.error("the engine failed on a sequence", exc_info=error)
    if _is_want_of_memory(error):
        return CapacityError("out of memory on the device")
    return BackendError(f"the engine failed: {reason(error)}")


def is_harmless(error: Exception) -> bool:
    """Whether the device surely goes on after it."""
    return isinstance(error, OverpaintError | torch.OutOfMemoryError | MemoryError)


def reason(error: Exception) -> str:
    """The first line of what it says, or its name."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _is_want_of_memory(error: Exception) -> bool:
    """Whether there was too little memory; CUDA and its libraries, which take some beside PyTorch, only say so."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _WANT_OF_MEMORY)
