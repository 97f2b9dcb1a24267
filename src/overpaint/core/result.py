"""What a finished request gives back, with where the time went. Plain values; knows nothing of files."""

from dataclasses import dataclass

from overpaint.core.picture import Picture
from overpaint.core.sizes import Canvas


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall-clock seconds a request spent in each stage.

    Args:
        queue_s: from submit to the first work on it.
        condition_s: vision-language encoder, and VAE on the references.
        prefill_s: transformer over the prefix.
        denoise_s: its steps, counted whole although other requests shared them.
        decode_s: VAE to pixels, and resizing.
        total_s: from submit to finished.
    """

    queue_s: float = 0.0
    condition_s: float = 0.0
    prefill_s: float = 0.0
    denoise_s: float = 0.0
    decode_s: float = 0.0
    total_s: float = 0.0

    @property
    def work_s(self) -> float:
        """From the first work to the end."""
        return self.total_s - self.queue_s


@dataclass(frozen=True, slots=True)
class PaintedImage:
    """One output picture and the seed that repeats it."""

    picture: Picture
    seed: int


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """All pictures of a request.

    Args:
        images: in order of their index.
        canvas: what was painted and what was delivered.
        steps: denoising steps taken per picture.
        model: name of the checkpoint.
        timings: where the time went.
    """

    images: tuple[PaintedImage, ...]
    canvas: Canvas
    steps: int
    model: str
    timings: Timings
