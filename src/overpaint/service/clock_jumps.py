"""Whether the time of day went further than time did: the clock was set forward, or the machine slept.

What was made a minute ago is then as old as that. Knows nothing of what is done about it.
"""

import logging
from datetime import datetime, timedelta

from overpaint.service.clock import ServiceClock

TOLERANCE = timedelta(minutes=5)
"""Between two looks; a clock that is corrected little by little stays below."""
_log = logging.getLogger(__name__)


class ClockJumps:
    """Looks at the clock now and then.

    Args:
        clock: the time of day, and seconds that go on whatever happens to it.
        calm: how long after a jump ages are not to be trusted.
    """

    def __init__(self, clock: ServiceClock, calm: timedelta) -> None:
        self._clock = clock
        self._calm = calm
        self._looked: tuple[datetime, float] | None = None
        self._until_s = 0.0

    def is_calm(self) -> bool:
        """Look: whether the clock went as time did since the last look, and for `calm` before it."""
        now, now_s = self._clock.now(), self._clock.now_s()
        before, before_s = self._looked or (now, now_s)
        self._looked = now, now_s
        jump = now - before - timedelta(seconds=now_s - before_s)
        if jump > TOLERANCE:
            self._until_s = now_s + self._calm.total_seconds()
            _log.warning("the clock went forward by %s at once; nothing old is removed for %s", jump, self._calm)
        return now_s >= self._until_s
