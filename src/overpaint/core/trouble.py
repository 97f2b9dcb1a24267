"""Telling the log of what fails again and again: when it begins, now and then while it lasts, and when it is over.

A database that is away for a minute fails thousands of calls, and one line says all that a thousand would. Knows
nothing of what fails.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SUMMARY_S = 60.0
"""Between two lines while it lasts."""
QUIET_S = 5.0
"""Without a failure, after which the first success is its end: some calls may work while others fail."""
_MOST_REASONS = 10


@dataclass(slots=True)
class _Spell:
    """A time of failures: when it began, when the last one was, when it was told of, their number and reasons."""

    began_s: float
    last_s: float
    told_s: float
    number: int = 0
    reasons: set[str] = field(default_factory=set)


class Trouble:
    """What is told of one part. May be used from any thread.

    Args:
        name: of the part, as lines begin.
        log: whose lines they are.
        now_s: tells the time.
    """

    def __init__(self, name: str, log: logging.Logger, now_s: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._log = log
        self._now_s = now_s
        self._lock = threading.Lock()
        self._spell: _Spell | None = None

    def failed(self, reason: str) -> None:
        """Note a failure. A reason is told the first time; how often it was, every `SUMMARY_S`."""
        now_s = self._now_s()
        with self._lock:
            spell = self._spell = self._spell or _Spell(now_s, now_s, now_s)
            spell.number, spell.last_s = spell.number + 1, now_s
            is_new = reason not in spell.reasons and len(spell.reasons) < _MOST_REASONS
            is_due = now_s - spell.told_s >= SUMMARY_S
            if is_new or is_due:
                spell.reasons.add(reason)
                spell.told_s = now_s
        if is_due:
            self._log.warning("%s: %d failures in %.0f s: %s", self._name, spell.number, now_s - spell.began_s, reason)
        elif is_new:
            self._log.warning("%s: %s", self._name, reason)

    def worked(self) -> None:
        """Note a success."""
        if self._spell is not None:  # looked at without the lock first: this is called at every success
            self._end()

    def _end(self) -> None:
        with self._lock:
            spell = self._spell
            if spell is None or self._now_s() - spell.last_s < QUIET_S:
                return
            self._spell = None
        if spell.number > 1:
            lasted_s = spell.last_s - spell.began_s
            self._log.warning("%s: works again, after %d failures in %.0f s", self._name, spell.number, lasted_s)
