"""What a mask does not cover stays as it was, to the sample; and any picture comes out at the size that was asked.

The engine paints the whole picture; the parts that were not to change are laid back over it. Knows no files.
"""

import numpy as np
from PIL import Image

from overpaint.core.picture import Picture
from overpaint.core.sizes import Size
from overpaint.images.pil import from_pil, to_pil
from overpaint.images.resize import resize


def to_size(painted: Picture, size: Size | None) -> Picture:
    """The painted picture at the asked size; as it is when none was asked."""
    return painted if size is None else resize(painted, size)


def keep_unmasked(painted: Picture, original: Picture, mask: Picture) -> Picture:
    """`painted` where the mask is white, `original` where it is black, mixed where it is grey.

    Args:
        painted: any mode; original and mask are brought to its sides.
        original: the first reference picture.
        mask: white where the picture may change; its colours count as grey, its transparent parts as black.
    """
    size = Size(painted.width, painted.height)
    mode = "RGBA" if "RGBA" in (painted.mode, original.mode) else "RGB"
    new = np.asarray(to_pil(painted).convert(mode)).astype(np.float32)
    old_exact = np.asarray(to_pil(resize(original, size)).convert(mode))
    weight = _weights(resize(mask, size))
    mixed = np.rint(old_exact + (new - old_exact) * weight).clip(0, 255).astype(np.uint8)
    return from_pil(Image.fromarray(np.where(weight == 0, old_exact, mixed)))


def _weights(mask: Picture) -> np.ndarray:
    """How far each pixel may change, `(height, width, 1)` in 0..1."""
    image = to_pil(mask)
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    if image.mode == "RGBA":
        grey = grey * np.asarray(image.getchannel("A"), dtype=np.float32) / 255
    return (grey / 255)[..., None]
