"""What the levels of acceleration save and what they cost in quality, against the same requests without.

    python -m benchmarks.offline.acceleration [--rounds 3] [--save]

Twenty-two generations and edits of 20 and 40 steps, one after the other, the levels in turn; quality is PSNR to the
same seed's picture at level none.
"""

from __future__ import annotations

import statistics
from dataclasses import replace

import numpy as np

from benchmarks.offline.options import checkpoint_options
from benchmarks.offline.workload import WORDS, alternate, engine, finish, load, percentile, sample_pictures
from benchmarks.report import report
from overpaint.core.config import EngineConfig
from overpaint.core.picture import Picture
from overpaint.core.request import ACCELERATIONS, Acceleration, GenerationRequest
from overpaint.engine.local import LocalEngine

_STEPS = (20, 40)
_SAME_DB = 99.0


def requests() -> list[GenerationRequest]:
    """Every second one edits a picture."""
    pictures = sample_pictures()
    return [
        GenerationRequest(
            words, pictures=(pictures[index % len(pictures)],) if index % 2 else (), steps=steps, seed=index
        )
        for steps in _STEPS
        for index, words in enumerate(WORDS)
    ]


def paint(it: LocalEngine, level: Acceleration) -> tuple[list[Picture], float]:
    """The pictures of a level, and the seconds of denoising that they took."""
    pictures: list[Picture] = []
    seconds = 0.0
    for index, request in enumerate(requests()):
        result = finish(it, f"{level}/{index}", replace(request, acceleration=level)).result
        pictures.append(result.images[0].picture)
        seconds += result.timings.denoise_s
    return pictures, seconds


def psnr_db(one: Picture, other: Picture) -> float:
    """Peak signal to noise ratio of two pictures of one size, over all four channels."""
    a, b = (np.frombuffer(picture.data, np.uint8).astype(float) for picture in (one, other))
    error = float(((a - b) ** 2).mean())
    return float(10 * np.log10(255**2 / error)) if error else _SAME_DB


def main() -> None:
    parser = checkpoint_options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    checkpoint = load(arguments.model, arguments.dtype)
    with engine(checkpoint, EngineConfig(max_running=1)) as it:
        pictures = {level: paint(it, level)[0] for level in ACCELERATIONS}
        times = alternate(arguments.rounds, {level: lambda level=level: paint(it, level)[1] for level in ACCELERATIONS})
    found: dict[str, dict[str, float]] = {}
    for level in ACCELERATIONS:
        quality = [psnr_db(a, b) for a, b in zip(pictures[level], pictures["none"], strict=True)]
        ratios = [a / b for a, b in zip(times["none"], times[level], strict=True)]
        found[level] = {
            "speed_ratio": statistics.median(ratios),
            "psnr_median_db": statistics.median(quality),
            "psnr_p10_db": -percentile([-value for value in quality], 0.9),
            "psnr_min_db": min(quality),
        }
    rows = [
        [level, f"{f['speed_ratio']:.2f}x", f"{f['psnr_median_db']:.1f} dB", f"{f['psnr_p10_db']:.1f} dB",
         f"{f['psnr_min_db']:.1f} dB"]
        for level, f in found.items()
    ]  # fmt: skip
    columns = ["level", "speed of denoising", "PSNR, median", "one in ten below", "lowest"]
    report("acceleration", columns, rows, {"levels": found, "seconds": times}, save=arguments.save)


if __name__ == "__main__":
    main()
