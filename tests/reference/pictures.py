"""Small pictures with structure at several scales, so that a wrong resize, flip or channel order shows."""

import numpy as np

from overpaint.core.picture import Picture, PictureMode


def make_picture(width: int, height: int, mode: PictureMode = "RGB", *, seed: int = 0) -> Picture:
    """Waves and blocks, different for every seed; RGBA has opaque, half transparent and fully transparent parts."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    channels = len(mode)
    frequency = rng.uniform(0.02, 0.3, size=(channels, 2))
    waves = [
        np.sin(a * x + b * y + phase) for (a, b), phase in zip(frequency, rng.uniform(0, 6, channels), strict=True)
    ]
    samples = 127.5 + 100 * np.stack(waves, axis=-1) + rng.normal(0, 8, size=(height, width, channels))
    samples[height // 5 : height // 2, width // 4 : width // 2] = rng.uniform(0, 255, channels)
    if mode == "RGBA":
        samples[..., 3] = np.select([x < width // 3, x < 2 * width // 3], [0, 128], 255)
    return Picture(width, height, mode, samples.clip(0, 255).astype(np.uint8).tobytes())
