"""What a tick and the device can take, and what work costs the device, as numbers. Torch-free."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from overpaint.model.layout import TOKENS_PER_SLOT

UNLIMITED = 2**62


@dataclass(frozen=True, slots=True)
class Cost:
    """Work on some tokens, in tokens of a step: the unit that the scheduler counts time in.

    Args:
        per_token: of one more token.
        fixed: of doing it at all.
    """

    per_token: float = 1.0
    fixed: float = 0.0

    def of(self, num_tokens: int) -> float:
        """Of work on so many tokens."""
        return self.fixed + self.per_token * num_tokens


@dataclass(frozen=True, slots=True)
class Costs:
    """What a device takes for each kind of work; measured by `calibration`.

    Args:
        step: of a packed step; its fixed part is paid once a tick.
        prefix: of reading and running prefix tokens.
        decode: of turning latent tokens into a picture.
    """

    step: Cost = field(default_factory=Cost)
    prefix: Cost = field(default_factory=Cost)
    decode: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tick and the device can take.

    Args:
        max_running: sequences under way at most.
        tick_tokens: tokens stepped in one tick at most, decoding counted by its cost (one sequence at least).
        prefill_tokens: prefix tokens run in one tick at most.
        cache_bytes: for keys and values.
        host_cache_bytes: of the host's memory, for those that had to leave the device.
        bytes_per_token: keys and values of one token in the transformer.
        encoder_bytes_per_token: and of one of the encoder's, which keeps its own beside them.
        work_bytes: for everything that is held for the time of one piece of work only.
        work_bytes_per_token: of a step or a chunk of a prefix.
        read_bytes_per_token: of a token of a prefix while a layer reads it.
        gathers: whether a layer reads the prefixes of a whole pack at once, not one after the other.
        memo_bytes_per_token: of an accelerated sequence's step, from one step to the next.
        costs: of the device.
    """

    max_running: int = 16
    tick_tokens: int = UNLIMITED
    prefill_tokens: int = 4096
    cache_bytes: int = UNLIMITED
    host_cache_bytes: int = 0
    bytes_per_token: int = 1
    encoder_bytes_per_token: int = 0
    work_bytes: int = UNLIMITED
    work_bytes_per_token: int = 0
    read_bytes_per_token: int = 0
    gathers: bool = False
    memo_bytes_per_token: int = 0
    costs: Costs = field(default_factory=Costs)

    def kept_bytes(self, text_tokens: int, picture_tokens: int = 0) -> int:
        """What tokens of a prefix take. The encoder keeps pictures, one token for four, and the words before them."""
        in_encoder = text_tokens + -(-picture_tokens // TOKENS_PER_SLOT) if picture_tokens else 0
        return (text_tokens + picture_tokens) * self.bytes_per_token + in_encoder * self.encoder_bytes_per_token

    def pass_bytes(self, step_tokens: int, prefix_tokens: Sequence[int]) -> int:
        """What a pass takes.

        Args:
            step_tokens: of all its targets.
            prefix_tokens: of the prefix of each, twice if two targets have the same.
        """
        read = sum(prefix_tokens) if self.gathers else max(prefix_tokens, default=0)
        return step_tokens * self.work_bytes_per_token + read * self.read_bytes_per_token
