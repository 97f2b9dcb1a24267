"""Who goes first, and how much of a tick others may fill.

Torch-free, without a clock: time is the work the device has done, counted in tokens of a step.

Order: priority class, then the tenant that had the least of the device for its weight, then the sequence that is
slowed down the most relative to its own length, then arrival. The slowdown `(age + remaining) / remaining` favours
what is nearly done and lets nothing starve: it grows without bound while a sequence waits, and lifts it a class at
every `LIFT`, up to the most urgent one and not beyond: there tenants have their shares.
"""

from collections.abc import Iterable
from collections.abc import Sequence as ListOf
from math import inf

from overpaint.core.task import Priority
from overpaint.core.terms import DEFAULT_TERMS
from overpaint.engine.sequence import Sequence, SequenceState

LIFT = 32.0
"""Slowdown at which a sequence is treated as one priority class more urgent."""


class FairOrder:
    """Keeps the tenants' shares and sorts sequences by urgency."""

    def __init__(self) -> None:
        self._work = 0.0
        self._spent: dict[str, float] = {}

    @property
    def work(self) -> float:
        """Work the device has done, in tokens of a step."""
        return self._work

    def enter(self, sequence: Sequence, present: Iterable[Sequence]) -> None:
        """A sequence arrives: a tenant that was away starts level with those present, without credit or debt.

        Where nobody is present, it starts level with whoever had the most: what a tenant had of an idle device was
        nobody else's, and would else be a debt to the next one that comes.
        """
        sequence.arrived_at = self._work
        tenant = sequence.spec.terms.tenant
        tenants = {other.spec.terms.tenant for other in present}
        if tenant not in tenants:
            levels = [self._spent.get(other, 0.0) for other in tenants]
            floor = min(levels) if levels else max(self._spent.values(), default=0.0)
            self._spent[tenant] = max(self._spent.get(tenant, 0.0), floor)

    def charge(self, sequence: Sequence, cost: float) -> None:
        """A sequence was given this much of the device."""
        terms = sequence.spec.terms
        self._work += cost
        self._spent[terms.tenant] = self._spent.get(terms.tenant, 0.0) + cost / terms.weight

    def sort(self, sequences: Iterable[Sequence]) -> list[Sequence]:
        """Most urgent first."""
        return sorted(sequences, key=self._key)

    def deal(self, ordered: ListOf[Sequence]) -> list[Sequence]:
        """Who has a place first: by class, then the tenants in turn.

        Among equals a running one keeps its place: it is not worth a prefix that may have to be built again.
        """
        turns: dict[str, float] = {}
        dealt: list[tuple[int, float, Sequence]] = []
        for sequence in sorted(ordered, key=lambda s: (self.priority_class(s), s.state is not SequenceState.RUNNING)):
            terms = sequence.spec.terms
            turns[terms.tenant] = turns.get(terms.tenant, 0.0) + 1 / terms.weight
            dealt.append((self.priority_class(sequence), turns[terms.tenant], sequence))
        return [sequence for _, _, sequence in sorted(dealt, key=lambda entry: entry[:2])]

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
        urgent = [s.spec.terms for s, _ in work if self.priority_class(s) == self.priority_class(work[0][0])]
        least = min(urgent, key=lambda terms: (own[terms.tenant] + fixed) / terms.weight, default=DEFAULT_TERMS)
        if len(weights) <= 1:
            return least.tenant, inf
        others = sum(weights.values()) - least.weight
        return least.tenant, (own[least.tenant] + fixed) * others / least.weight

    def priority_class(self, sequence: Sequence) -> int:
        """Its class, lifted by how long it was kept waiting; lower is more urgent."""
        return max(min(Priority), sequence.spec.terms.priority - int(self._slowdown(sequence) / LIFT))

    def _key(self, sequence: Sequence) -> tuple[int, float, float, int]:
        return (
            self.priority_class(sequence),
            self._spent.get(sequence.spec.terms.tenant, 0.0),
            -self._slowdown(sequence),
            sequence.order,
        )

    def _slowdown(self, sequence: Sequence) -> float:
        remaining = max(1, sequence.remaining_tokens)
        return (self._work - sequence.arrived_at + remaining) / remaining
