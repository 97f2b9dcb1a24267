"""Which leases stand still, by what one sees of them oneself and not by anybody's time of day.

Servers' clocks differ and are set, and a database that is out of reach, or locked, is so for everyone. So a lease has
run out when somebody saw it unchanged for its whole duration, and could look all that time. Knows no store.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime

from overpaint.core.task import Lease

_Seen = tuple[str, int, datetime]


class LeaseWatch:
    """Remembers since when each lease has been as it is.

    Args:
        lease_s: how long one lasts that is not renewed.
        now_s: tells the time; never goes back.
    """

    def __init__(self, lease_s: float, now_s: Callable[[], float]) -> None:
        self._lease_s = lease_s
        self._now_s = now_s
        self._since_s: dict[_Seen, float] = {}
        self._looked_s = -math.inf

    def ran_out(self, leases: Sequence[Lease]) -> list[Lease]:
        """Of all that there are now, those that nobody renews any more."""
        now_s = self._now_s()
        if now_s - self._looked_s > self._lease_s / 2:  # a look failed or took long: so may every renewal have
            self._since_s.clear()
        self._looked_s = now_s
        self._since_s = {seen: self._since_s.get(seen, now_s) for seen in map(_seen, leases)}
        return [lease for lease in leases if now_s - self._since_s[_seen(lease)] >= self._lease_s]


def _seen(lease: Lease) -> _Seen:
    return lease.task.id, lease.token, lease.expires_at
