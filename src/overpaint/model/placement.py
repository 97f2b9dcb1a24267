"""What of a checkpoint lives on the host. Plain numbers; who decides them is the engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placement:
    """Where weights live.

    Args:
        is_offloaded: the encoder and the VAE live on the host between uses.
        num_streamed: so many of the transformer's blocks, the last ones, come from the host at every step.
    """

    is_offloaded: bool = False
    num_streamed: int = 0


RESIDENT = Placement()
