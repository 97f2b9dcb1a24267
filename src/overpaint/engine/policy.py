"""Who goes first. Torch-free, without a clock: time is the work the device has done, counted in tokens.

Order: priority class, then the tenant that had the least of the device for its weight, then the sequence that is
slowed down the most relative to its own length, then arrival. The slowdown `(age + remaining) / remaining` favours
what is nearly done and lets nothing starve: it grows without bound while a sequence waits, and lifts it a class at
every `LIFT`.
"""

from collections.abc import Iterable

from overpaint.engine.sequence import Sequence

LIFT = 32.0
"""Slowdown at which a sequence is treated as one priority class more urgent."""


class FairOrder:
    """Keeps the tenants' shares and sorts sequences by urgency."""

    def __init__(self) -> None:
        self._work = 0
        self._spent: dict[str, float] = {}

    @property
    def work(self) -> int:
        """Tokens of work the device has done."""
        return self._work

    def enter(self, sequence: Sequence, present: Iterable[Sequence]) -> None:
        """A sequence arrives: a tenant that was away starts level with those present, without credit or debt."""
        sequence.arrived_at = self._work
        tenant = sequence.spec.terms.tenant
        tenants = {other.spec.terms.tenant for other in present}
        if tenant not in tenants:
            floor = min((self._spent.get(other, 0.0) for other in tenants), default=0.0)
            self._spent[tenant] = max(self._spent.get(tenant, 0.0), floor)

    def charge(self, sequence: Sequence, num_tokens: int) -> None:
        """A sequence was given `num_tokens` of the device."""
        terms = sequence.spec.terms
        self._work += num_tokens
        self._spent[terms.tenant] = self._spent.get(terms.tenant, 0.0) + num_tokens / terms.weight

    def sort(self, sequences: Iterable[Sequence]) -> list[Sequence]:
        """Most urgent first."""
        return sorted(sequences, key=self._key)

    def priority_class(self, sequence: Sequence) -> int:
        """Its class, lifted by how long it was kept waiting; lower is more urgent."""
        return sequence.spec.terms.priority - int(self._slowdown(sequence) / LIFT)

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
