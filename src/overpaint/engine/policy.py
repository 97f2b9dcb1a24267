"""Who goes first, and how much of a tick others may fill.

Torch-free, without a clock: time is the work the device has done, counted in tokens of a step.

Order: priority class, then the tenant that had the least of the device for its weight, then the sequence that is
slowed down the most relative to its own length, then arrival. The slowdown `(age + remaining) / remaining` favours
what is nearly done and lets nothing starve: it grows without bound while a sequence waits, and lifts it a class at
every `LIFT`, up to the most urgent one and not beyond: there tenants have their shares.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence as ListOf
from math import inf
from operator import itemgetter

from overpaint.core.task import Priority
from overpaint.core.terms import DEFAULT_TERMS
from overpaint.engine.sequence import Sequence, SequenceState

LIFT = 32.0
"""Slowdown at which a sequence is treated as one priority class more urgent."""
_MOST_URGENT = min(Priority)


class FairOrder:
    """Keeps the tenants' shares and sorts sequences by urgency."""

    def __init__(self) -> None:
        self._work = 0.0
        self._spent: dict[str, float] = {}
        self._present: Counter[str] = Counter()

    @property
    def work(self) -> float:
        """Work the device has done, in tokens of a step."""
        return self._work

    def enter(self, sequence: Sequence) -> None:
        """A sequence arrives: a tenant that was away starts level with those present, without credit or debt.

        Where nobody is present, it starts level with whoever had the most: what a tenant had of an idle device was
        nobody else's, and would else be a debt to the next one that comes.
        """
        sequence.arrived_at = self._work
        tenant = sequence.spec.terms.tenant
        if tenant not in self._present:
            levels = [self._spent[other] for other in self._present]
            floor = min(levels) if levels else max(self._spent.values(), default=0.0)
            # Who is away with less would come back level with these: their names need not be kept.
            self._spent = {name: spent for name, spent in self._spent.items() if spent > floor or name in self._present}
            self._spent[tenant] = max(self._spent.get(tenant, 0.0), floor)
        self._present[tenant] += 1

    def leave(self, sequence: Sequence) -> None:
        """A sequence has ended."""
        tenant = sequence.spec.terms.tenant
        self._present[tenant] -= 1
        if not self._present[tenant]:
            del self._present[tenant]

    def charge(self, sequence: Sequence, cost: float) -> None:
        """A sequence was given this much of the device."""
        terms = sequence.spec.terms
        self._work += cost
        self._spent[terms.tenant] = self._spent.get(terms.tenant, 0.0) + cost / terms.weight

    def sort(self, sequences: Iterable[Sequence]) -> list[Sequence]:
        """Most urgent first, each with its rank in the tick that is planned."""
        keyed = [(*self._key(sequence), sequence) for sequence in sequences]
        keyed.sort(key=itemgetter(0, 1, 2, 3))
        return [sequence for *_, sequence in keyed]

    def deal(self, ordered: ListOf[Sequence]) -> list[Sequence]:
        """Who has a place first, of those who could take one, sorted: by rank, then the tenants in turn.

        Among equals a running one keeps its place: it is not worth a prefix that may have to be built again.
        """
        turns: dict[str, float] = {}
        dealt: list[tuple[int, float, Sequence]] = []
        for sequence in sorted(ordered, key=lambda s: (s.rank, s.state is not SequenceState.RUNNING)):
            terms = sequence.spec.terms
            turns[terms.tenant] = turns.get(terms.tenant, 0.0) + 1 / terms.weight
            dealt.append((sequence.rank, turns[terms.tenant], sequence))
        return [sequence for _, _, sequence in sorted(dealt, key=itemgetter(0, 1))]

    def fair_room(self, work: ListOf[tuple[Sequence, float]], fixed: float) -> tuple[str, float]:
        """Who has the least to do of the tenants of the most urgent class, and how much of a tick the others may fill.

        That one gets all of it done, in a tick as long as its share of the device's time leaves it.

        Args:
            work: what could be done in this tick and its costs, most urgent first.
            fixed: cost of the tick itself.

        Returns:
            A tenant, and tokens of a step; infinite when there is no other tenant.
        """
        weights = {sequence.spec.terms.tenant: sequence.spec.terms.weight for sequence, _ in work}
        own = dict.fromkeys(weights, 0.0)
        for sequence, cost in work:
            own[sequence.spec.terms.tenant] += cost
        urgent = [sequence.spec.terms for sequence, _ in work if sequence.rank == work[0][0].rank]
        least = min(urgent, key=lambda terms: (own[terms.tenant] + fixed) / terms.weight, default=DEFAULT_TERMS)
        if len(weights) <= 1:
            return least.tenant, inf
        others = sum(weights.values()) - least.weight
        return least.tenant, (own[least.tenant] + fixed) * others / least.weight

    def _key(self, sequence: Sequence) -> tuple[int, float, float, int]:
        """What it is sorted by; notes its rank."""
        terms, slowdown = sequence.spec.terms, self._slowdown(sequence)
        sequence.rank = max(_MOST_URGENT, terms.priority - int(slowdown / LIFT))
        return sequence.rank, self._spent.get(terms.tenant, 0.0), -slowdown, sequence.order

    def _slowdown(self, sequence: Sequence) -> float:
        remaining = max(1, sequence.remaining_tokens)
        return (self._work - sequence.arrived_at + remaining) / remaining
