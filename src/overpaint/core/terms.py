"""On which terms a task is painted: for whom, how urgently, and what is wanted while it runs. Plain values."""

from dataclasses import dataclass

from overpaint.core.errors import RequestError
from overpaint.core.task import Priority


@dataclass(frozen=True, slots=True)
class Terms:
    """What an engine is told about a task beside the request.

    Args:
        tenant: whose it is; shares of the device and of the prefix cache are kept apart by it.
        priority: a more urgent class goes first.
        weight: the tenant's share of the device relative to others', above 0.
        preview_every: denoising steps between previews; 0 is none.
        reproducible: step alone and share nothing, so that the picture is the same to the bit whatever else runs.
    """

    tenant: str = ""
    priority: Priority = Priority.INTERACTIVE
    weight: float = 1.0
    preview_every: int = 0
    reproducible: bool = False

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise RequestError("weight", self.weight, "must be above 0")
        if self.preview_every < 0:
            raise RequestError("preview_every", self.preview_every, "must not be negative")


DEFAULT_TERMS = Terms()
"""An interactive task of the only tenant."""
