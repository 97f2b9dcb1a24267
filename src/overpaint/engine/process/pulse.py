"""Whether a process gets on, seen from outside, while it says nothing. Knows nothing of what it does.

Whatever goes on in loading a checkpoint reads, writes or takes memory: a slow disk, a far hub, a compiler, rounding.
What waits for somebody else to be done looks around now and then, which takes next to no time. Only what hangs does
neither: it waits for something that never comes, or turns in a circle, with a processor all to itself.
"""

import time
from dataclasses import dataclass

import psutil

_SPINS = 0.1
"""Of a processor's time; who waits for a lock and looks every now and then takes a hundredth."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What a process has had when it was looked at.

    Args:
        at_s: when that was.
        spent_s: of a processor.
        moved: bytes that it read and wrote, and memory that it has.
    """

    at_s: float
    spent_s: float
    moved: tuple[int, int]


class Pulse:
    """Of one process.

    Args:
        pid: its id; it runs.
    """

    def __init__(self, pid: int | None) -> None:
        self._process = psutil.Process(pid)
        self._last = _Look(time.monotonic(), 0.0, (0, 0))

    def beats(self) -> bool:
        """Whether it has got on since it was last asked; one that has ended does not hang either."""
        try:
            now = self._look()
        except psutil.Error:
            return True
        last, self._last = self._last, now
        spent_s = now.spent_s - last.spent_s
        return now.moved != last.moved or 0 < spent_s < _SPINS * (now.at_s - last.at_s)

    def _look(self) -> _Look:
        with self._process.oneshot():
            times = self._process.cpu_times()
            return _Look(time.monotonic(), times.user + times.system, (self._bytes(), self._process.memory_info().rss))

    def _bytes(self) -> int:
        """Read and written, pipes and caches included; 0 where the system does not tell."""
        if not hasattr(self._process, "io_counters"):
            return 0
        counted = self._process.io_counters()
        return getattr(counted, "read_chars", counted.read_bytes) + getattr(counted, "write_chars", counted.write_bytes)
