"""What the packed forward runs: pieces of prefixes, and steps of targets. Knows no weights."""

from dataclasses import dataclass

from torch import Tensor

from overpaint.model.layout import Grid, Segment
from overpaint.model.lora import AdapterMix
from overpaint.model.prefix_cache import PrefixCache
from overpaint.model.step_memo import StepMemo


@dataclass(frozen=True, slots=True)
class PrefixInput:
    """Consecutive segments of one prefix to run; the rows before them must stand.

    Args:
        segments: which ones.
        txt: `(text tokens, context channels)`: the encoder's hidden states of their text.
        references: latents of each of their pictures, `(height * width, channels)`, in order.
        cache: where keys and values go.
        adapters: what its layers are changed by.
    """

    segments: tuple[Segment, ...]
    txt: Tensor
    references: tuple[Tensor, ...]
    cache: PrefixCache
    adapters: AdapterMix = ()

    @property
    def num_tokens(self) -> int:
        """Tokens of the segments."""
        return self.segments[-1].end - self.segments[0].start


@dataclass(frozen=True, slots=True)
class StepInput:
    """One sequence to step.

    Args:
        latents: `(height * width, channels)` of any float dtype.
        sigma: its noise level.
        grid: its height and width in latent tokens.
        cache: its prefix, prefilled with the same adapters.
        memo: keeps what blocks add, for accelerated sequences.
        may_skip: whether this step may go by the memo.
        adapters: what its layers are changed by.
    """

    latents: Tensor
    sigma: float
    grid: Grid
    cache: PrefixCache
    memo: StepMemo | None = None
    may_skip: bool = False
    adapters: AdapterMix = ()

    @property
    def num_tokens(self) -> int:
        """Tokens of the target."""
        return self.latents.shape[0]
