"""The autoencoder: diffusers' AutoencoderKLQwenImage21, written down in closed form.

With one 16 x 16 patch per latent token the best linear code is the principal components of the
patches, so the network starts out as exactly that. The code is carried through the layers twice,
as +c and -c, because silu(c) - silu(-c) = c; one large constant channel makes the RMS norms a
constant scale. Residual branches start at zero. The encoder stays like this; the decoder may be
trained further. Knows nothing of prompts or transformers.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import cast

import torch
from diffusers import AutoencoderKLQwenImage21
from torch import nn

from recipes.mini.composer import Composer
from recipes.mini.tasks import training_tasks
from recipes.mini.world import World

PATCH = 16
LATENTS = 64
WIDTH = 144  # sqrt is 12, so the norm's gain below is exact in bfloat16
CONSTANT = 768.0
CARRIED = 2 * LATENTS
UNIT = 8.0  # components are divided by this: latents of a handy size
NEGLIGIBLE_LOG_VARIANCE = -20.0


@dataclass(frozen=True)
class PatchCode:
    """Principal components of picture patches.

    `mean` (1024,), `basis` (64, 1024) with orthonormal rows, `std` (64,) of the components,
    `scale` (64,) what latents are divided by: `std` with a floor, so that noise is not blown up.
    """

    mean: torch.Tensor
    basis: torch.Tensor
    std: torch.Tensor
    scale: torch.Tensor

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures (B, 4, H, W) in -1..1 to normalised latent tokens (B, H/16 * W/16, 64)."""
        return ((patches(pictures) - self.mean) @ self.basis.T) / self.scale

    def to(self, device: torch.device | str) -> PatchCode:
        return PatchCode(*(t.to(device) for t in (self.mean, self.basis, self.std, self.scale)))


def patches(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 4, H, W) to patch rows (B, tokens, 1024), channels ordered as the VAE does."""
    b, c, h, w = pictures.shape
    grid = pictures.reshape(b, c, h // PATCH, PATCH, w // PATCH, PATCH)
    return grid.permute(0, 2, 4, 1, 5, 3).reshape(b, h * w // PATCH**2, c * PATCH * PATCH)


def fit_code(world: World, composer: Composer, pictures: int = 3000, floor: float = 0.2) -> PatchCode:
    """Principal components of the patches of training scenes."""
    tasks = itertools.islice(training_tasks(world, 7), pictures)
    scenes = [task.target for task in tasks]
    total, products, count = 0.0, 0.0, 0
    for start in range(0, pictures, 50):
        rows = patches(composer.paint(scenes[start : start + 50])).reshape(-1, 4 * PATCH * PATCH).double()
        total, products, count = total + rows.sum(0), products + rows.T @ rows, count + len(rows)
    mean = torch.as_tensor(total) / count
    spread = torch.as_tensor(products) / count - mean[:, None] * mean
    values, vectors = torch.linalg.eigh(spread.cpu())
    basis = vectors[:, -LATENTS:].flip(1).T
    std = values[-LATENTS:].flip(0).clamp(min=0).sqrt()
    scale = std.clamp(min=float(std[0]) * floor)
    return PatchCode(*(t.float().contiguous() for t in (mean.cpu(), basis, std, scale)))


def build_vae(code: PatchCode) -> AutoencoderKLQwenImage21:
    """The real class with weights that compute exactly this code."""
    vae = AutoencoderKLQwenImage21(
        base_dim=WIDTH,
        decoder_base_dim=WIDTH,
        z_dim=LATENTS,
        dim_mult=[1],
        num_res_blocks=1,
        attn_scales=[],
        temperal_downsample=[],
        latents_mean=[0.0] * LATENTS,
        latents_std=[float(s) / UNIT for s in code.scale],
        is_residual=False,
        in_channels=4 * PATCH * PATCH,
        out_channels=4 * PATCH * PATCH,
        patch_size=PATCH,
        scale_factor_temporal=1,
        scale_factor_spatial=16,
    )
    with torch.no_grad():
        _silence_branches(vae)
        _write_encoder(vae, code)
        _write_decoder(vae, code)
    return vae


def _silence_branches(vae: nn.Module) -> None:
    """Make residual and attention blocks the identity, yet easy to train.

    Their norms would see the constant channel drown everything else, hence the gains.
    """
    for name, module in vae.named_modules():
        if name.endswith(("conv2", "proj")):
            _zero(module)
        if name.endswith(("norm1", "attentions.0.norm")):
            gain = cast(nn.Parameter, module.gamma)
            gain.fill_(1 / math.sqrt(WIDTH))
            gain[:CARRIED] = 8.0


def _zero(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.zero_()


def _identity(conv: nn.Conv2d) -> None:
    _zero(conv)
    size = conv.weight.shape[0]
    conv.weight[:, :, 0, 0] = torch.eye(size)


def _carry(conv: nn.Conv2d, rows: torch.Tensor, offset: torch.Tensor) -> None:
    """Write +code and -code of the input into the first channels, the constant into the next."""
    _zero(conv)
    bias = cast(nn.Parameter, conv.bias)
    centre = conv.kernel_size[0] // 2
    conv.weight[:CARRIED, :, centre, centre] = torch.cat([rows, -rows])
    bias[:CARRIED] = torch.cat([offset, -offset])
    bias[CARRIED] = CONSTANT


def _collect(conv: nn.Conv2d, rows: torch.Tensor, offset: torch.Tensor) -> None:
    """Read silu(+code) - silu(-code) = code and map it by `rows` (outputs, 64)."""
    _zero(conv)
    centre = conv.kernel_size[0] // 2
    conv.weight[: len(rows), :CARRIED, centre, centre] = torch.cat([rows, -rows], dim=1)
    cast(nn.Parameter, conv.bias)[: len(offset)] = offset


def _constant_gain(norm: nn.Module) -> None:
    """Undo the norm: with the constant channel its denominator is CONSTANT, almost exactly."""
    cast(nn.Parameter, norm.gamma).fill_(CONSTANT / math.sqrt(WIDTH))


def _write_encoder(vae: AutoencoderKLQwenImage21, code: PatchCode) -> None:
    encoder = vae.encoder
    _carry(encoder.conv_in, code.basis, -code.basis @ code.mean)
    _constant_gain(encoder.norm_out)
    _collect(encoder.conv_out, torch.eye(LATENTS) / UNIT, torch.zeros(LATENTS))
    encoder.conv_out.bias[LATENTS:] = NEGLIGIBLE_LOG_VARIANCE
    _identity(vae.quant_conv)


def _write_decoder(vae: AutoencoderKLQwenImage21, code: PatchCode) -> None:
    decoder = vae.decoder
    _identity(vae.post_quant_conv)
    _carry(decoder.conv_in, torch.eye(LATENTS) * UNIT, torch.zeros(LATENTS))
    _constant_gain(decoder.norm_out)
    _collect(decoder.conv_out, code.basis.T, code.mean)


def decode(vae: AutoencoderKLQwenImage21, latents: torch.Tensor, scale: torch.Tensor, size: int) -> torch.Tensor:
    """Normalised latent tokens (B, tokens, 64) to pictures (B, 4, size, size) in -1..1."""
    side = size // PATCH
    grid = (latents * scale / UNIT).transpose(1, 2).reshape(len(latents), LATENTS, 1, side, side)
    return vae.decode(grid.to(vae.dtype), return_dict=False)[0][:, :, 0]


def psnr(first: torch.Tensor, second: torch.Tensor) -> float:
    """Peak signal to noise ratio in dB of pictures in -1..1."""
    error = (first.float() - second.float()).square().mean().clamp(min=1e-10)
    return float(10 * torch.log10(4 / error))
