"""Reference pictures, made ready for the encoder and the VAE.

One resize feeds both. The encoder sees the picture flattened on white, the VAE sees all four channels. What can be done
without a device is done without torch, so that any thread may do it. Knows nothing of prompts or weights.

Source: `QwenImage21Pipeline.__call__` step 1 and `_get_qwen_prompt_embeds` of diffusers 0.42.1.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from overpaint.core import Picture
from overpaint.core.sizes import Size, fit_area
from overpaint.model.layout import Grid

PIXELS_PER_TOKEN = 16
"""Side of the square of pixels that one latent token covers."""


@dataclass(frozen=True)
class Reference:
    """A reference picture and the size it is brought to; nothing is resized before its samples are asked for.

    Args:
        picture: as it came.
        size: sides are multiples of 32.
    """

    picture: Picture
    size: Size

    @property
    def grid(self) -> Grid:
        """Height and width in latent tokens."""
        return self.size.height // PIXELS_PER_TOKEN, self.size.width // PIXELS_PER_TOKEN

    @cached_property
    def rgba(self) -> Image.Image:
        """The resized picture, mode RGBA."""
        picture = self.picture
        image = Image.frombytes(picture.mode, (picture.width, picture.height), picture.data).convert("RGBA")
        return image.resize((self.size.width, self.size.height), Image.Resampling.LANCZOS)

    def for_encoder(self) -> Image.Image:
        """RGB, alpha composited over white: what the vision-language encoder was trained on."""
        white = Image.new("RGB", self.rgba.size, (255, 255, 255))
        white.paste(self.rgba, mask=self.rgba.getchannel("A"))
        return white

    def for_vae(self) -> Tensor:
        """`(1, 4, 1, height, width)` fp32 in [-1, 1]."""
        return to_vae(self.samples())

    def samples(self) -> NDArray[np.float32]:
        """`(height, width, 4)` in [-1, 1]."""
        samples = np.array(self.rgba, dtype=np.float32)
        samples /= 255
        samples *= 2
        samples -= 1
        return samples


@dataclass(frozen=True, slots=True)
class ReadyReference:
    """A reference as both read it; about 40 bytes for each pixel.

    Args:
        patches: `(patches, channels)`, as the encoder's image processor makes them.
        samples: `(height, width, 4)` in [-1, 1], for the VAE.
    """

    patches: NDArray[np.float32]
    samples: NDArray[np.float32]


def to_vae(samples: NDArray[np.float32]) -> Tensor:
    """`(height, width, 4)` to `(1, 4, 1, height, width)`, nothing copied."""
    return torch.from_numpy(samples).permute(2, 0, 1)[None, :, None]


def prepare_reference(picture: Picture, area: int) -> Reference:
    """Resize a picture to about `area` pixels, keeping its shape, sides rounded to 32."""
    return Reference(picture, fit_area(area, picture.aspect, 2 * PIXELS_PER_TOKEN))
