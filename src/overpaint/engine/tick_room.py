"""How much a tick takes: work that pays, and memory for the pass that its pictures share. Torch-free numbers."""

from dataclasses import dataclass, field

from overpaint.engine.limits import Limits

_CALM_TICKS = 100
_LARGER = 1.1


class TickSize:
    """Tokens that step together: as many as pay, and fewer for a while after a pass did not fit into memory.

    Args:
        most: tokens at most.

    Attributes:
        tokens: as things stand.
    """

    def __init__(self, most: int) -> None:
        self._most = self.tokens = most
        self._calm_ticks = 0

    def limit(self, most: int) -> None:
        """No more than this pays."""
        self._most, self.tokens = min(self._most, most), min(self.tokens, most)

    def shrink(self, tokens: int) -> None:
        """So many did not fit: half as many from now on."""
        self.tokens = max(1, min(self.tokens, tokens // 2))
        self._calm_ticks = 0

    def recover(self) -> None:
        """A pass fitted; after a hundred of them a tenth more is tried."""
        self._calm_ticks += 1
        if self._calm_ticks == _CALM_TICKS:
            self._calm_ticks = 0
            self.tokens = min(self._most, max(self.tokens + 1, int(self.tokens * _LARGER)))


@dataclass(slots=True)
class TickRoom:
    """What is left of a tick while it is filled.

    Args:
        limits: of the device.
        tokens: of work, in tokens of a step.
        num_bytes: for the pass that its pictures share.
        step_tokens: of the pass so far.
        prefix_tokens: of the prefixes that it reads so far.
    """

    limits: Limits
    tokens: float
    num_bytes: int
    step_tokens: int = 0
    prefix_tokens: list[int] = field(default_factory=list)

    def has(self, cost: float, step_tokens: int, prefix_tokens: list[int]) -> bool:
        """Whether there is room for work and, unless it is without targets, for its part of the pass."""
        taken = self.limits.pass_bytes(self.step_tokens + step_tokens, [*self.prefix_tokens, *prefix_tokens])
        return cost <= self.tokens and (not step_tokens or taken <= self.num_bytes)

    def take(self, cost: float, step_tokens: int = 0, prefix_tokens: list[int] | None = None) -> None:
        """Take room, whether there is so much or not."""
        self.tokens -= cost
        self.step_tokens += step_tokens
        self.prefix_tokens += prefix_tokens or []
