"""What is known of a running task from its events: place in the queue, steps, the last look, the time left."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass

from overpaint.core.events import Preview, Progress
from overpaint.core.request import OutputSpec
from overpaint.core.task import Task
from overpaint.images.encode import encode
from overpaint.service.watch import Happening, Queued

_LOOK = OutputSpec(format="webp", quality=75)


@dataclass(slots=True)
class Live:
    """A task under way, as its events tell.

    Args:
        position: how many go before it; None once it runs.
        stage: what the engine does.
        step: of `num_steps`, over all its pictures.
        num_steps: 0 before the engine has begun.
        look: the last preview as a data URI.
        num_looks: previews so far.
        ended: the final task.
    """

    position: int | None = None
    stage: str = "queued"
    step: int = 0
    num_steps: int = 0
    look: str | None = None
    num_looks: int = 0
    ended: Task | None = None
    _first: tuple[int, float] | None = None
    _last_s: float = 0.0

    def hear(self, what: Happening, now_s: Callable[[], float] = time.monotonic) -> None:
        """Take in one event."""
        if isinstance(what, Queued):
            self.position, self.stage = what.position, "queued"
        elif isinstance(what, Progress):
            self._advance(what, now_s())
        elif isinstance(what, Preview):
            self.look = data_uri(encode(what.picture, _LOOK), "image/webp")
            self.num_looks += 1
        else:
            self.ended = what.task

    @property
    def remaining_s(self) -> float | None:
        """Seconds of denoising that are left at the present pace; None where there is none yet."""
        if self._first is None or self.step <= self._first[0]:
            return None
        step, since_s = self._first
        return (self.num_steps - self.step) * (self._last_s - since_s) / (self.step - step)

    def _advance(self, progress: Progress, now_s: float) -> None:
        if progress.step < self.step:
            self._first = None  # it was begun again
        self.position, self.stage = None, progress.stage
        self.step, self.num_steps, self._last_s = progress.step, progress.num_steps, now_s
        if progress.stage == "denoise" and self._first is None:
            self._first = (progress.step, now_s)


def data_uri(data: bytes, media_type: str) -> str:
    """A picture inside a page."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
