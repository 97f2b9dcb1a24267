"""Work that goes on beside what its device is given next: on CUDA, on a stream of its own. Knows no models."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch

Made = TypeVar("Made")


def begin_beside(device: torch.device, work: Callable[[], Made]) -> Callable[[], Made]:
    """Begin work that nothing else waits for; a device without streams does it when it is asked for.

    Args:
        device: where it is done.
        work: what to queue. All it reads must stay as it is until it is done.

    Returns:
        What waits for it, alone, and gives what it made.
    """
    if device.type != "cuda":
        return work
    side = _side_stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        made = work()
        done = side.record_event()

    def wait() -> Made:
        done.synchronize()
        return made

    return wait


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """One for all such work: memory that one piece of it gave back serves the next without waiting."""
    return torch.cuda.Stream(device)
