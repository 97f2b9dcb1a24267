"""Puts a painted region back into the picture it came from. Knows nothing of models.

Outside the mask the source's samples are copied, not recomputed, so they stay the same to the byte.
"""

import numpy as np
from PIL import Image

from overpaint.core.picture import Picture
from overpaint.images.pil import from_pil, to_pil


def composite(painted: Picture, source: Picture, mask: Picture) -> Picture:
    """`painted` where the mask is white, `source` where it is black, blended between.

    Args:
        painted: the new picture.
        source: the old one, of the same sides.
        mask: mode ``"L"``, of the same sides; other modes are read as brightness.

    Returns:
        An RGBA picture.
    """
    new, old = (np.asarray(to_pil(picture).convert("RGBA"), dtype=np.uint8) for picture in (painted, source))
    weight = np.asarray(to_pil(mask).convert("L"), dtype=np.uint16)[..., None]
    blended = (new * weight + old * (255 - weight) + 127) // 255
    return from_pil(Image.fromarray(blended.astype(np.uint8), "RGBA"))
