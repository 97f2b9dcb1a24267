"""Everything the page stands on, in one value."""

from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from overpaint.playground.desk import Desks
from overpaint.playground.log_tail import LogTail
from overpaint.playground.reach import BaseOf, path_of
from overpaint.playground.sessions import Sessions
from overpaint.playground.views import Views
from overpaint.playground.visitors import Visitors
from overpaint.playground.wording import Words
from overpaint.service.service import Service


@dataclass(frozen=True, slots=True)
class PageParts:
    """What the page stands on.

    Args:
        service: everything that can be done.
        sessions: trees of results.
        visitors: who looks.
        dialects: names of those the server speaks, for the code.
        log: its last lines, for the operator.
        keep_days: how long tasks and their pictures stay.
        base_of: scheme, host and path that a visitor reaches this server by, without a trailing slash.
        desks: what each open page shows.
    """

    service: Service
    sessions: Sessions
    visitors: Visitors
    dialects: frozenset[str]
    log: LogTail
    keep_days: float
    base_of: BaseOf
    desks: Desks = field(default_factory=Desks)

    def path_of(self, visit: HTTPConnection) -> str:
        """The path that a proxy serves this server below, for this visitor; empty where there is none."""
        return path_of(self.base_of(visit), visit)

    def views(self, words: Words) -> Views:
        """Makes views of tasks, in a language."""
        return Views(self.service.links, words)
