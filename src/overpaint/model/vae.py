"""Pictures to normalised latents and back: RGBA, 16 pixels a token.

Above a size, both ways run in overlapping tiles, so that memory does not grow with the picture. Knows nothing of
prompts or noise.

Source: `_encode_vae_image` and the last part of `__call__` of diffusers 0.42.1 pipeline_qwenimage21.py; blending as in
`AutoencoderKLQwenImage21.tiled_decode`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_qwenimage21 import AutoencoderKLQwenImage21
from torch import Tensor, nn

from overpaint.core import NoNumbersError, SizeRules
from overpaint.model.beside import begin_beside
from overpaint.model.hosting import is_hosted, present
from overpaint.model.layout import Grid
from overpaint.model.references import PIXELS_PER_TOKEN

_MIN_TILE = 16
_WORK_PER_CHANNEL = 16
"""Values alive at the peak, for each channel and pixel of the widest level."""
_WORK_PER_PIXEL = 48
"""Bytes for each pixel of the picture itself: four channels in a few dtypes and layouts."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """When and how to work in tiles.

    Args:
        threshold_tokens: pictures of more latent tokens than this are tiled. By default none is that Qwen-Image-2.1
            paints at its own sizes: diffusers tiles nothing unless it is told to.
        tile_tokens: side of a square tile, in latent tokens.
        overlap_tokens: how far neighbouring tiles overlap and are blended.
    """

    threshold_tokens: int = SizeRules().native_area // PIXELS_PER_TOKEN**2
    tile_tokens: int = 64
    overlap_tokens: int = 16

    @classmethod
    def within(cls, max_tokens: int) -> "Tiling":
        """The usual tiling, with smaller tiles where no more than so many tokens can be worked on at once."""
        usual = cls()
        side = max(_MIN_TILE, min(usual.tile_tokens, isqrt(max_tokens)))
        return cls(max(side**2, min(usual.threshold_tokens, max_tokens)), side, side // 4)


def work_bytes_per_token(vae: AutoencoderKLQwenImage21) -> int:
    """Bytes that encoding or decoding takes at its peak, for each latent token; rather too high than too low."""
    config: Mapping[str, Any] = vae.config
    side = PIXELS_PER_TOKEN // (config.get("patch_size") or 1)
    width = max(config["base_dim"], config.get("decoder_base_dim") or 0)
    return _WORK_PER_CHANNEL * width * side**2 * vae.dtype.itemsize + _WORK_PER_PIXEL * PIXELS_PER_TOKEN**2


def lay_out_for_processor(vae: nn.Module) -> None:
    """Lay the weights out as a processor's convolutions read them: equal but for rounding, and a sixth faster."""
    for module in vae.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


class PictureCodec:
    """The VAE with the checkpoint's latent statistics.

    Args:
        vae: diffusers' autoencoder, on its device, in its dtype.
        tiling: when to work in tiles.
        beside_tokens: pictures of at most so many latent tokens may be decoded beside other work.
    """

    def __init__(self, vae: AutoencoderKLQwenImage21, tiling: Tiling | None = None, *, beside_tokens: int = 0) -> None:
        self._vae = vae
        self._beside_tokens = beside_tokens
        self._device, self._dtype = vae.device, vae.dtype  # diffusers looks through all modules to answer these
        self._tiling = tiling or Tiling()
        config: Mapping[str, Any] = vae.config
        self.channels: int = config["z_dim"]
        shape = (1, self.channels, 1, 1)
        self._mean = torch.tensor(config["latents_mean"], device=self._device).view(shape)
        self._std = torch.tensor(config["latents_std"], device=self._device).view(shape)

    @torch.inference_mode()
    def encode(self, samples: Tensor) -> Tensor:
        """Encode one picture, taking the mode of the posterior.

        Args:
            samples: `(1, 4, 1, height, width)` in [-1, 1]; sides are multiples of 16.

        Returns:
            `(height / 16 * width / 16, channels)` fp32, normalised.
        """
        samples = samples.to(self._device, self._dtype)[:, :, 0]
        grid = (samples.shape[-2] // PIXELS_PER_TOKEN, samples.shape[-1] // PIXELS_PER_TOKEN)
        with present(self._vae):
            latents = self._tiled(self._encode, samples, grid, (PIXELS_PER_TOKEN, 1)).float()
        return ((latents - self._mean) / self._std)[0].flatten(1).T.contiguous()

    def decode(self, latents: Tensor, grid: Grid) -> Tensor:
        """Decode one picture.

        Args:
            latents: `(height * width, channels)` normalised, of any float dtype.
            grid: height and width in latent tokens.

        Returns:
            `(pixel height, pixel width, 4)` uint8 on the CPU, contiguous.

        Raises:
            NoNumbersError: there is no picture in the latents, or the VAE makes none of them.
        """
        return _brought(self._paint(latents, grid))

    def begin_decode(self, latents: Tensor, grid: Grid) -> Callable[[], Tensor]:
        """Decode beside what the device is given next, as far as there is room for both and the device can.

        Args:
            latents: as for `decode`; left as they are until the picture is there.
            grid: as for `decode`.

        Returns:
            What waits for the picture and gives it, as `decode` would.
        """
        # Weights that come and go do so in the order of the stream that computes, and of no other.
        if grid[0] * grid[1] > self._beside_tokens or is_hosted(self._vae):
            return lambda: self.decode(latents, grid)
        made = begin_beside(self._device, lambda: self._paint(latents, grid))
        return lambda: _brought(made())

    @torch.inference_mode()
    def _paint(self, latents: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """`decode`, on the device, and whether all of it are numbers."""
        spatial = latents.float().T.reshape(1, self.channels, *grid)
        spatial = (spatial * self._std + self._mean).to(self._dtype)
        with present(self._vae):
            samples = self._tiled(self._decode, spatial, grid, (1, PIXELS_PER_TOKEN))[0].float()
        picture = samples.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        return picture, ~samples.isnan().any()

    def _encode(self, samples: Tensor) -> Tensor:
        return self._vae.encode(samples[:, :, None], return_dict=False)[0].mode()[:, :, 0]

    def _decode(self, latents: Tensor) -> Tensor:
        return self._vae.decode(latents[:, :, None], return_dict=False)[0][:, :, 0]

    def _tiled(self, run: Callable[[Tensor], Tensor], x: Tensor, grid: Grid, scales: tuple[int, int]) -> Tensor:
        """Run whole or in tiles. `scales`: input and output samples per latent token."""
        tiling = self._tiling
        if grid[0] * grid[1] <= tiling.threshold_tokens:
            return run(x)
        in_scale, out_scale = scales
        out: Tensor | None = None
        weight = torch.zeros(grid[0] * out_scale, grid[1] * out_scale, device=x.device)
        for top in _tile_starts(grid[0], tiling):
            for left in _tile_starts(grid[1], tiling):
                rows, columns = (slice(start, start + tiling.tile_tokens) for start in (top, left))
                tile = run(x[..., _scaled(rows, in_scale), _scaled(columns, in_scale)]).float()
                ramp = _ramp(tile.shape[-2:], tiling.overlap_tokens * out_scale, x.device)
                if out is None:
                    out = tile.new_zeros(*tile.shape[:2], *weight.shape)
                out[..., _scaled(rows, out_scale), _scaled(columns, out_scale)] += tile * ramp
                weight[_scaled(rows, out_scale), _scaled(columns, out_scale)] += ramp
        assert out is not None  # a grid has at least one tile
        return out / weight


def _brought(made: tuple[Tensor, Tensor]) -> Tensor:
    """A picture on the CPU; one of no numbers would be an empty one, which nobody would know from a painted one."""
    picture, is_of_numbers = made
    if not is_of_numbers:
        raise NoNumbersError
    return picture.cpu()


def _tile_starts(length: int, tiling: Tiling) -> list[int]:
    """First tokens of the tiles along one side; the last tile ends at the edge."""
    stride = tiling.tile_tokens - tiling.overlap_tokens
    last = max(0, length - tiling.tile_tokens)
    return [*range(0, last, stride), last]


def _scaled(tokens: slice, scale: int) -> slice:
    return slice(tokens.start * scale, tokens.stop * scale)


def _ramp(shape: torch.Size, overlap: int, device: torch.device) -> Tensor:
    """Weights `(height, width)` that rise linearly from the edges over the overlap, and never reach zero.

    Made on the device: what comes from the host's memory would be waited for.
    """
    sides: list[Tensor] = []
    for length in shape:
        place = torch.arange(length, device=device)
        distance = place.minimum(place.flip(0)) + 1
        sides.append(distance.clamp(max=max(1, overlap)) / max(1, overlap))
    return torch.outer(*sides)
