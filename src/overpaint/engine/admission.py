"""Who has a place and memory. Torch-free: changes the state of sequences and what the prefix index holds.

Each sequence is started before the next is looked at, so that room for a later one is never made at its cost.
"""

from collections.abc import Mapping

from overpaint.engine.job import BlockKey, PrefixKey, SequenceId
from overpaint.engine.policy import FairOrder
from overpaint.engine.prefix_index import PrefixIndex
from overpaint.engine.sequence import Sequence, SequenceState
from overpaint.engine.stats import Counters


class Admission:
    """Gives places and memory, and takes them away.

    Args:
        index: what is held.
        order: who goes first.
        sequences: all that wait and run; owned by the scheduler.
        stats: counts what is taken away.
    """

    def __init__(
        self, index: PrefixIndex, order: FairOrder, sequences: Mapping[SequenceId, Sequence], stats: Counters
    ) -> None:
        self._index = index
        self._order = order
        self._sequences = sequences
        self._stats = stats
        self.to_release: list[BlockKey] = []
        self.to_spill: list[BlockKey] = []

    def give_places(self, ordered: list[Sequence], places: int) -> None:
        """Give the places to the most urgent whose prefixes stand; who loses a place keeps its latents and waits."""
        could = [s for s in ordered if s.state is SequenceState.RUNNING or self.missing(s) is None]
        for sequence in self._order.deal(could):
            if sequence.state is SequenceState.WAITING and places:
                self._set_running(sequence)
            if sequence.state is SequenceState.RUNNING:
                if places:
                    places -= 1
                else:
                    self._set_waiting(sequence)

    def take_memory(self, key: PrefixKey, sequence: Sequence, ordered: list[Sequence]) -> bool:
        """Take memory for a prefix, from whom it hurts least; False when there is none to be had now."""
        for may_take in ([], self._lesser(sequence, ordered), self._behind(sequence, ordered)):
            donors = frozenset(other.spec.sequence_id for other in may_take)
            victims = self._index.find_room(key, donors)
            if victims is not None:
                self._preempt(victims)
                moves = self._index.take_room(key, victims)
                self.to_release.extend(moves.release)
                self.to_spill.extend(moves.spill)
                self._stats.num_evictions += len(victims)
                return True
        return False

    def missing(self, sequence: Sequence) -> PrefixKey | None:
        """The first of a sequence's prefixes that does not stand."""
        return next((key for key in sequence.spec.prefixes if not self._index.is_standing(key)), None)

    def _lesser(self, sequence: Sequence, ordered: list[Sequence]) -> list[Sequence]:
        """Everyone of a lesser class."""
        return [other for other in ordered if other.rank > sequence.rank]

    def _behind(self, sequence: Sequence, ordered: list[Sequence]) -> list[Sequence]:
        """Everyone behind, when nothing runs: nobody would ever give memory back by itself."""
        if any(other.state is SequenceState.RUNNING for other in ordered):
            return []
        return ordered[ordered.index(sequence) + 1 :]

    def _preempt(self, victims: list[BlockKey]) -> None:
        """Send those back to wait that run on blocks about to go; their latents stay."""
        for sequence_id in self._index.wants.wanting(victims):
            if self._sequences[sequence_id].state is SequenceState.RUNNING:
                self._set_waiting(self._sequences[sequence_id])

    def _set_running(self, sequence: Sequence) -> None:
        sequence.state = SequenceState.RUNNING
        for key in sequence.spec.prefixes:
            self._index.pin(key, sequence.spec.sequence_id)

    def _set_waiting(self, sequence: Sequence) -> None:
        sequence.state = SequenceState.WAITING
        self._stats.num_preemptions += 1
        for key in sequence.spec.prefixes:
            self._index.wants.unpin(key, sequence.spec.sequence_id)
