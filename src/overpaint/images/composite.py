"""Puts a painted region back into the picture it came from. Knows nothing of models.

Outside the mask the source's samples are copied, not recomputed, so they stay the same to the byte.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from overpaint.core.picture import Picture
from overpaint.images.alpha import brightness
from overpaint.images.pil import from_pil, to_pil


def composite(painted: Picture, source: Picture, mask: Picture) -> Picture:
    """`painted` where the mask is white, `source` where it is black, blended between.

    Args:
        painted: the new picture.
        source: the old one, of the same sides.
        mask: of the same sides, read by `brightness`.

    Returns:
        An RGBA picture.
    """
    new, old = (np.asarray(to_pil(picture).convert("RGBA")) for picture in (painted, source))
    weight = np.asarray(to_pil(brightness(mask)))
    joined = np.where((weight == 255)[..., None], new, old)
    edge = (weight > 0) & (weight < 255)
    joined[edge] = _blend(new[edge], old[edge], weight[edge])
    return from_pil(Image.fromarray(joined, "RGBA"))


def _blend(new: NDArray[np.uint8], old: NDArray[np.uint8], weight: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels `(n, 4)` by weights `(n,)` of 255; a colour counts by its alpha, for one that is not seen may be any."""
    weights = np.stack([weight, 255 - weight]).astype(np.uint32)[..., None]
    pixels = np.stack([new, old]).astype(np.uint32)
    shares = weights * pixels[..., 3:]
    alpha = (shares.sum(0) + 127) // 255
    shares = np.where(shares.sum(0) > 0, shares, weights)
    whole = shares.sum(0)
    colours = ((shares * pixels[..., :3]).sum(0) + whole // 2) // whole
    return np.concatenate([colours, alpha], axis=1).astype(np.uint8)
