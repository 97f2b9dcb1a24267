"""Whether a process computes, seen from outside: how long it has had a processor. Knows nothing of what it computes.

Whatever goes on in loading a checkpoint takes some of that: reading a slow disk, fetching from far away. Only what
waits for something that never comes takes none.
"""

import psutil


class Pulse:
    """Of one process.

    Args:
        pid: its id; it runs.
    """

    def __init__(self, pid: int | None) -> None:
        self._process = psutil.Process(pid)
        self._spent_s = 0.0

    def beats(self) -> bool:
        """Whether it has computed since it was last asked; one that has ended does not hang either."""
        try:
            times = self._process.cpu_times()
        except psutil.Error:
            return True
        before_s, self._spent_s = self._spent_s, times.user + times.system
        return self._spent_s > before_s
