"""Pictures repainted only where a mask is white: latents outside follow the source at every step.

The final composite copies the source's own samples back, so what is outside stays the same to the byte. Knows nothing
of scheduling.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from overpaint.core import Picture
from overpaint.core.sizes import Size
from overpaint.images.alpha import brightness
from overpaint.images.composite import composite
from overpaint.images.pil import to_pil
from overpaint.images.resize import resize
from overpaint.model.references import PIXELS_PER_TOKEN, Reference
from overpaint.model.vae import PictureCodec


@dataclass(frozen=True, slots=True)
class Inpainting:
    """What stays of a source picture.

    Args:
        source: the picture.
        mask: mode ``"L"``, white where it may change.
        latents: of the source at the painted size, `(tokens, channels)` fp32.
        keeps: `(tokens, 1)` bool, True where a token lies wholly outside the mask.
    """

    source: Picture
    mask: Picture
    latents: Tensor
    keeps: Tensor

    @classmethod
    def of(cls, source: Picture, mask: Picture, painted: Size, codec: PictureCodec) -> Self:
        """Encode a source at the size that is painted."""
        latents = codec.encode(Reference(source, painted).for_vae())
        drawn = brightness(mask)
        return cls(source, drawn, latents, _outside(drawn, painted).to(latents.device))

    def hold(self, latents: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """`latents` with everything outside the mask put to where the source is at this noise level.

        Args:
            latents: of the target, `(tokens, channels)` fp32.
            noise: the target's own, `(tokens, channels)` fp32.
            sigma: the level.
        """
        return torch.where(self.keeps, (1 - sigma) * self.latents + sigma * noise, latents)

    def finish(self, painted: Picture) -> Picture:
        """The painted picture with the source's own samples outside the mask."""
        size = Size(painted.width, painted.height)
        return composite(painted, resize(self.source, size), resize(self.mask, size))


def _outside(mask: Picture, painted: Size) -> Tensor:
    """`(tokens, 1)` bool: no pixel under the token is to be repainted."""
    image = to_pil(mask).resize((painted.width, painted.height))
    white = torch.from_numpy(np.array(image, dtype=np.float32))[None, None]
    return (F.max_pool2d(white, PIXELS_PER_TOKEN) == 0).reshape(-1, 1)
