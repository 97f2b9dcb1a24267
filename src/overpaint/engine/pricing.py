"""What the next piece of work on a sequence costs, in tokens of a step. Torch-free arithmetic over what is held."""

from collections.abc import Mapping

from overpaint.engine.job import PrefixKey, SequenceId
from overpaint.engine.limits import Limits
from overpaint.engine.prefix_index import PrefixIndex
from overpaint.engine.sequence import Sequence


class Prices:
    """Prices of steps, prefix work and decoding.

    Args:
        limits: of the device, with what its work costs until it was measured.
        index: what is held of each prefix.
        sequences: all that wait and run; owned by the scheduler.

    Attributes:
        costs: of the device, as last measured.
    """

    def __init__(self, limits: Limits, index: PrefixIndex, sequences: Mapping[SequenceId, Sequence]) -> None:
        self.costs = limits.costs
        self._prefill_tokens = limits.prefill_tokens
        self._index = index
        self._sequences = sequences

    def of_next(self, sequence: Sequence) -> float:
        """The step of a sequence, or its decoding after the last; what a tick takes anyway is left out."""
        if sequence.is_painted:
            return self.of_decode(sequence)
        return self.costs.step.per_token * sequence.step_tokens

    def of_step(self, sequence: Sequence, company: int) -> float:
        """A step in a pack of so many: its tokens, and a part of what every pass takes."""
        return self.costs.step.per_token * sequence.step_tokens + self.costs.step.fixed / company

    def of_decode(self, sequence: Sequence) -> float:
        """Its latents turned into a picture."""
        return self.costs.decode.of(sequence.spec.num_tokens)

    def of_prefix(self, key: PrefixKey) -> float:
        """A unit of work on a prefix at most; no block is split."""
        spec = self._index.wants.spec_of(key)
        most = max(self.most_at_once(key), *(block.num_tokens for block in spec.blocks))
        return self.costs.prefix.of(min(self._index.count_missing(spec), most))

    def most_at_once(self, key: PrefixKey) -> int:
        """Tokens of a prefix that are run in one tick, if no block of it is larger.

        Those of a picture that is to be the same to the bit go block by block: then each is computed alike, whichever
        of the others stand.
        """
        users = self._index.wants.users_of(key)
        is_exact = any(self._sequences[user].spec.terms.reproducible for user in users)
        return 1 if is_exact else self._prefill_tokens
