"""A rough look at a picture under way: a linear map from clean latents to colours, one pixel per token.

Fitted once per checkpoint on a few synthetic pictures, so it needs no decoder and costs next to nothing. Knows
nothing of requests.
"""

import torch
from torch import Tensor

from overpaint.core import Picture
from overpaint.model.layout import Grid
from overpaint.model.references import PIXELS_PER_TOKEN
from overpaint.model.vae import PictureCodec

_SIDE = 8 * PIXELS_PER_TOKEN
_NUM_PICTURES = 16
_RIDGE = 1e-2


class PreviewMap:
    """The fitted map.

    Args:
        codec: the checkpoint's VAE.
        device: where latents will come from.
    """

    def __init__(self, codec: PictureCodec, device: torch.device) -> None:
        pictures = _synthetic_pictures()
        latents = torch.cat([codec.encode(picture[None, :, None]).cpu() for picture in pictures])
        colours = torch.nn.functional.avg_pool2d(pictures, PIXELS_PER_TOKEN).flatten(2).transpose(1, 2).flatten(0, 1)
        inputs = torch.cat([latents, torch.ones(len(latents), 1)], dim=1)
        gram = inputs.T @ inputs + _RIDGE * torch.eye(inputs.shape[1])
        self._matrix = torch.linalg.solve(gram, inputs.T @ colours).to(device)

    @torch.inference_mode()
    def paint(self, latents: Tensor, grid: Grid) -> Picture:
        """A picture of one pixel per token.

        Args:
            latents: `(height * width, channels)` fp32, predicted clean.
            grid: height and width in tokens.
        """
        colours = latents @ self._matrix[:-1] + self._matrix[-1]
        samples = colours.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).cpu()
        return Picture(grid[1], grid[0], "RGBA", samples.contiguous().numpy().tobytes())


def _synthetic_pictures() -> Tensor:
    """`(pictures, 4, side, side)` in [-1, 1]: smooth random colours, half of them with smooth random alpha."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(_NUM_PICTURES, 4, 4, 4, generator=generator) * 2 - 1
    pictures = torch.nn.functional.interpolate(coarse, size=_SIDE, mode="bilinear")
    pictures[::2, 3] = 1.0
    return pictures
