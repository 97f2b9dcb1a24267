"""Latents and pixels against diffusers, and tiles against the whole."""

from copy import deepcopy
from typing import Any

import pytest
import torch

from overpaint.core import NoNumbersError
from overpaint.core.sizes import Size
from overpaint.model import vae as vae_module
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.hosting import HostedModule
from overpaint.model.references import prepare_reference
from overpaint.model.vae import PictureCodec, Tiling, lay_out_for_processor
from tests.reference.measures import max_abs, psnr_db
from tests.reference.pictures import make_picture
from tests.reference.weights import enliven

_TILES = Tiling(threshold_tokens=64, tile_tokens=8, overlap_tokens=4)


def _samples(width: int, height: int) -> torch.Tensor:
    reference = prepare_reference(make_picture(width, height, "RGBA", seed=1), width * height)
    assert reference.rgba.size == (width, height)
    return reference.for_vae()


def _statistics(vae: Any) -> tuple[torch.Tensor, torch.Tensor]:
    mean, std = (torch.tensor(vae.config[name]).view(1, -1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
    return mean, std


def test_encoding_takes_the_mode_and_normalises(checkpoint: Checkpoint) -> None:
    samples = _samples(96, 64)
    vae: Any = checkpoint.vae
    mean, std = _statistics(vae)
    theirs = (vae.encode(samples).latent_dist.mode() - mean) / std
    ours = PictureCodec(vae).encode(samples)
    assert ours.shape == (24, 16)
    assert ours.std() > 0.3
    assert max_abs(ours, theirs[0].flatten(1).T) < 1e-5  # one rounding apart: same modules, same shapes


@pytest.mark.parametrize("is_begun", [False, True])
def test_no_numbers_are_no_picture(checkpoint: Checkpoint, *, is_begun: bool) -> None:
    """Of them bytes were made, and an empty picture was delivered as painted."""
    codec = PictureCodec(checkpoint.vae, beside_tokens=24)
    latents = torch.randn(24, 16, generator=torch.Generator().manual_seed(0))
    latents[5, 3] = float("nan")
    wait = codec.begin_decode(latents, (4, 6)) if is_begun else lambda: codec.decode(latents, (4, 6))
    with pytest.raises(NoNumbersError):
        wait()


def test_decoding_gives_the_pixels_of_the_modules(checkpoint: Checkpoint) -> None:
    vae: Any = checkpoint.vae
    mean, std = _statistics(vae)
    latents = torch.randn(24, 16, generator=torch.Generator().manual_seed(0))
    spatial = latents.T.reshape(1, 16, 1, 4, 6) * std + mean
    theirs = ((vae.decode(spatial).sample[0, :, 0] / 2 + 0.5) * 255).round().permute(1, 2, 0)
    ours = PictureCodec(vae).decode(latents, (4, 6))
    assert ours.shape == (64, 96, 4)
    assert ours.dtype == torch.uint8
    assert psnr_db(ours.numpy(), theirs.byte().numpy()) > 55


def test_another_order_of_the_weights_in_memory_changes_roundings_only(checkpoint: Checkpoint) -> None:
    vae = deepcopy(checkpoint.vae)
    lay_out_for_processor(vae)
    assert any(p.dim() == 4 and not p.is_contiguous() for p in vae.parameters())
    samples, latents = _samples(96, 64), torch.randn(24, 16, generator=torch.Generator().manual_seed(0))
    mine, other = PictureCodec(vae), PictureCodec(checkpoint.vae)
    assert max_abs(mine.encode(samples), other.encode(samples)) < 1e-4  # fp32; sums are taken in another order
    assert psnr_db(mine.decode(latents, (4, 6)).numpy(), other.decode(latents, (4, 6)).numpy()) > 55


@pytest.mark.parametrize("size", [Size(192, 160), Size(320, 64), Size(64, 288), Size(208, 176)], ids=str)
def test_tiles_cover_every_pixel_once_in_weight(checkpoint: Checkpoint, size: Size) -> None:
    """With a VAE whose pixels depend on nothing but their own tile position, tiled and whole are the same."""
    codec = _Flat(checkpoint.vae)
    grid = (size.height // 16, size.width // 16)
    latents = torch.randn(grid[0] * grid[1], 16, generator=torch.Generator().manual_seed(0))
    whole = PictureCodec(codec, Tiling(threshold_tokens=10**9)).decode(latents, grid)  # pyright: ignore[reportArgumentType]
    tiled = PictureCodec(codec, _TILES).decode(latents, grid)  # pyright: ignore[reportArgumentType]
    assert tiled.shape == (size.height, size.width, 4)
    assert int((whole.int() - tiled.int()).abs().max()) <= 1  # the blend's division rounds


class _Flat:
    """A VAE that paints each token as one flat square of its first four channels."""

    def __init__(self, vae: Any) -> None:
        self.config = vae.config
        self.device, self.dtype = vae.device, vae.dtype

    def decode(self, latents: torch.Tensor, return_dict: bool) -> tuple[torch.Tensor]:
        assert not return_dict
        return (latents[:, :4].tanh().repeat_interleave(16, -1).repeat_interleave(16, -2),)


def _smooth_latents(grid: tuple[int, int]) -> torch.Tensor:
    """Neighbours alike, as latents of pictures are."""
    coarse = torch.randn(1, 16, 3, 3, generator=torch.Generator().manual_seed(2))
    smooth = torch.nn.functional.interpolate(coarse, size=grid, mode="bicubic", align_corners=True)
    return smooth[0].flatten(1).T.contiguous()


def test_tiling_shows_no_seams(checkpoint: Checkpoint) -> None:
    """The jump between neighbouring pixels is nowhere larger than in the untiled picture."""
    grid = (16, 20)
    latents = _smooth_latents(grid)
    whole = PictureCodec(checkpoint.vae, Tiling(threshold_tokens=10**9)).decode(latents, grid).float()
    tiled = PictureCodec(checkpoint.vae, _TILES).decode(latents, grid).float()
    for dim in (0, 1):
        jumps_whole, jumps_tiled = (picture.diff(dim=dim).abs().mean(dim=(1 - dim, 2)) for picture in (whole, tiled))
        # Averaged along the line, a seam stands out; a quarter above the largest natural jump is not a seam.
        assert jumps_tiled.max() <= 1.25 * jumps_whole.max()


def test_tiled_pixels_are_as_close_to_the_whole_as_diffusers_tiles_are(checkpoint: Checkpoint) -> None:
    """Not equal: the network's attention sees a tile where it would see the picture."""
    grid = (16, 20)
    latents = _smooth_latents(grid)
    codec = PictureCodec(checkpoint.vae, Tiling(threshold_tokens=10**9))
    whole = codec.decode(latents, grid)
    vae: Any = checkpoint.vae
    vae.enable_tiling(128, 128, 64, 64)  # the same tiles, in pixels
    theirs = codec.decode(latents, grid)
    vae.disable_tiling()
    ours = PictureCodec(checkpoint.vae, _TILES).decode(latents, grid)
    assert psnr_db(theirs.numpy(), whole.numpy()) < 60, "diffusers did not tile"
    # Tiles that end at the edge instead of being cut there differ by some tenths.
    assert psnr_db(ours.numpy(), whole.numpy()) > psnr_db(theirs.numpy(), whole.numpy()) - 0.5


def test_tiled_encoding_stays_close_to_the_whole(checkpoint: Checkpoint) -> None:
    samples = _samples(320, 256)
    whole = PictureCodec(checkpoint.vae, Tiling(threshold_tokens=10**9)).encode(samples)
    tiled = PictureCodec(checkpoint.vae, _TILES).encode(samples)
    assert tiled.shape == whole.shape
    assert float((tiled - whole).square().mean() / whole.var()) < 0.1


def test_small_pictures_are_not_tiled(checkpoint: Checkpoint) -> None:
    calls: list[torch.Size] = []
    vae: Any = checkpoint.vae
    handle = vae.decoder.register_forward_pre_hook(lambda _module, inputs: calls.append(inputs[0].shape))
    PictureCodec(vae, _TILES).decode(torch.randn(64, 16), (8, 8))
    handle.remove()
    assert len(calls) == 1


@pytest.mark.parametrize("beside_tokens", [0, 64], ids=["too large", "fits"])
def test_what_is_decoded_beside_other_work_is_the_same_picture(checkpoint: Checkpoint, beside_tokens: int) -> None:
    latents = torch.randn(64, 16)
    codec = PictureCodec(checkpoint.vae, beside_tokens=beside_tokens)
    assert torch.equal(codec.begin_decode(latents, (8, 8))(), codec.decode(latents, (8, 8)))


def test_weights_that_live_on_the_host_decode_nothing_beside_other_work(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their memory is given back in the order of one stream only."""
    begun: list[object] = []
    monkeypatch.setattr(vae_module, "begin_beside", lambda *args: begun.append(args))
    vae = deepcopy(checkpoint.vae)
    HostedModule(vae, torch.device("cpu"))
    codec = PictureCodec(vae, beside_tokens=64)
    assert codec.begin_decode(torch.randn(64, 16), (8, 8))().shape == (128, 128, 4)
    assert not begun


def test_enliven_leaves_no_parameter_at_its_default() -> None:
    norm = torch.nn.LayerNorm(8)
    enliven(norm, torch.Generator().manual_seed(0))
    assert norm.weight.std() > 0.05
    assert norm.bias.std() > 0.01
