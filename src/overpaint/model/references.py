"""Reference pictures, made ready for the encoder and the VAE.

One resize feeds both. The encoder sees the picture flattened on white, the VAE sees all four channels. Knows nothing
of prompts or weights.

Source: `QwenImage21Pipeline.__call__` step 1 and `_get_qwen_prompt_embeds` of diffusers 0.42.1.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from overpaint.core import Picture
from overpaint.core.sizes import fit_area
from overpaint.model.layout import Grid

PIXELS_PER_TOKEN = 16
"""Side of the square of pixels that one latent token covers."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A resized reference picture.

    Args:
        rgba: the resized picture, mode RGBA, sides multiples of 32.
    """

    rgba: Image.Image

    @property
    def grid(self) -> Grid:
        """Height and width in latent tokens."""
        return self.rgba.height // PIXELS_PER_TOKEN, self.rgba.width // PIXELS_PER_TOKEN

    def for_encoder(self) -> Image.Image:
        """RGB, alpha composited over white: what the vision-language encoder was trained on."""
        white = Image.new("RGB", self.rgba.size, (255, 255, 255))
        white.paste(self.rgba, mask=self.rgba.getchannel("A"))
        return white

    def for_vae(self) -> Tensor:
        """`(1, 4, 1, height, width)` fp32 in [-1, 1]."""
        samples = torch.from_numpy(np.array(self.rgba, dtype=np.float32)).div_(255)
        return (2 * samples - 1).permute(2, 0, 1)[None, :, None]


def prepare_reference(picture: Picture, area: int) -> Reference:
    """Resize a picture to about `area` pixels, keeping its shape, sides rounded to 32."""
    image = Image.frombytes(picture.mode, (picture.width, picture.height), picture.data).convert("RGBA")
    size = fit_area(area, picture.aspect, 2 * PIXELS_PER_TOKEN)
    return Reference(image.resize((size.width, size.height), Image.Resampling.LANCZOS))
