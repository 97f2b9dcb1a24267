"""Training of the autoencoder's decoder, on from the closed form, with the encoder frozen.

    python -m recipes.mini.decoder --config recipes/mini/configs/cpu.toml --resume --minutes 12

It learns to sharpen what the principal components leave out, and to shrug off what the latents it will be
given have of errors: its input is exact latents plus a little noise, and latents as the run's transformer paints
them, where they are not quite wrong. Knows nothing of prompts.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLQwenImage21
from torch import nn

from recipes.mini.batches import Rows, TaskRows, load_rows
from recipes.mini.networks import MiniModel
from recipes.mini.painted import Paintings, paint
from recipes.mini.run import DECODER, Run, load_checkpoint, pick_dtype, read_recipe, save_atomically
from recipes.mini.settings import load_settings
from recipes.mini.tasks import evaluation_tasks
from recipes.mini.vae import CARRIED, PATCH, build_vae, decode, psnr

NOISE = 0.06
HELD_BACK = 64  # paintings, and scenes, that it is measured on
WRONG = 0.5  # error of a cell's latents above which what was painted there is something else
RATE = 3e-4
OUTER_RATE = 5e-5  # the closed form's own layers: small weights that are nearly right


def pairs(run: Run, rows: Iterator[Rows], paintings: Paintings | None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Latents and the pictures to make of them, endless: exact with a little noise, then as painted, in turns."""
    while True:
        pictures = run.composer.paint_codes(next(rows).targets.to(run.device))
        latents = run.code.encode(pictures)
        noise = NOISE * torch.rand(len(latents), 1, 1, device=latents.device)
        yield latents + noise * torch.randn_like(latents), pictures
        if paintings is not None:
            latents, targets = paintings.draw(run.settings.decoder_batch)
            yield latents, run.composer.paint_codes(targets)


def not_quite_wrong(run: Run, latents: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Mask (B, 1, side, side) of the cells whose latents are near those of the picture."""
    error = (latents - run.code.encode(pictures)).square().mean(-1).sqrt()
    near = (error < WRONG).float().reshape(-1, 1, run.settings.grid, run.settings.grid)
    return near.repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)


def loss_of(vae: AutoencoderKLQwenImage21, run: Run, latents: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Loss of decoding latents: square error for the level, absolute for the edges."""
    dtype = pick_dtype(latents.device)
    with torch.autocast(latents.device.type, dtype, enabled=dtype != torch.float32):
        found = decode(vae, latents, run.code.scale, run.composer.side).float()
    error = (found - pictures) * not_quite_wrong(run, latents, pictures)
    return error.square().mean() * 10 + error.abs().mean()


def build_optimizer(vae: AutoencoderKLQwenImage21) -> torch.optim.Optimizer:
    """Residual blocks learn freely; the last layer gently, and never from the constant channel."""
    decoder: Any = vae.decoder
    decoder.requires_grad_(False)
    blocks = [*decoder.mid_block.parameters(), *decoder.up_blocks.parameters()]
    outer = [decoder.conv_out.weight, decoder.conv_out.bias]
    for parameter in (*blocks, *outer):
        parameter.requires_grad_(True)
    mask = torch.ones_like(decoder.conv_out.weight)
    mask[:, CARRIED] = 0
    decoder.conv_out.weight.register_hook(lambda gradient: gradient * mask)
    groups = [{"params": blocks, "peak": RATE}, {"params": outer, "peak": OUTER_RATE}]
    return torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)


def of_the_same_world(run: Run, checkpoint: Path | None) -> Path | None:
    """The checkpoint, where its latents mean what the run's do; a decoder of other ones would have to be unlearned."""
    if checkpoint is None or read_recipe(checkpoint)["world"] == run.settings.world.name:
        return checkpoint
    print(json.dumps({"left aside, of another world": str(checkpoint)}), flush=True)
    return None


def begin(vae: AutoencoderKLQwenImage21, average: nn.Module, run: Run, resume: bool, checkpoint: Path | None) -> None:
    """Take over what was trained before, the run's own state or an exported one; else the closed form stays."""
    trained = run.trained_decoder()
    if resume and trained is not None:
        state = torch.load(trained, map_location=run.device)
        vae.decoder.load_state_dict(state["model"])
        average.load_state_dict(state["ema"])
    elif checkpoint is not None:
        exported: Any = AutoencoderKLQwenImage21.from_pretrained(checkpoint / "vae")
        vae.decoder.load_state_dict(exported.decoder.state_dict())
        average.load_state_dict(exported.decoder.state_dict())


def find_painter(run: Run, checkpoint: Path | None) -> MiniModel | None:
    """Whose latents will be decoded: the run's own transformer, else the checkpoint's; None before there is one."""
    if run.has_state:
        return run.averaged().model
    if checkpoint is None:
        return None
    networks = run.networks().requires_grad_(False).eval()
    load_checkpoint(networks, checkpoint)
    return networks.model


def find_paintings(run: Run, checkpoint: Path | None) -> tuple[Paintings | None, Paintings | None]:
    """Those that it is measured on, and those that it learns from; None where there is nobody to paint them."""
    model = find_painter(run, checkpoint)
    if model is None:
        return None, None
    return paint(run, model, run.settings.decoder_paintings + HELD_BACK, time.time_ns() % 100_000).split(HELD_BACK)


def find_food(run: Run, paintings: Paintings | None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """What there is to learn from."""
    settings, seed = run.settings, time.time_ns() % 100_000
    tasks = TaskRows(settings.world, run.prompts, settings.decoder_batch, seed, settings.pad_to)
    return pairs(run, load_rows(tasks, settings.workers), paintings)


def train_decoder(run: Run, minutes: float, resume: bool, checkpoint: Path | None = None) -> None:
    """Train for a time budget, keep an average of the weights, save both."""
    vae = build_vae(run.code.to("cpu")).to(run.device)
    average = build_vae(run.code.to("cpu")).to(run.device).decoder
    checkpoint = of_the_same_world(run, checkpoint)
    unseen, paintings = find_paintings(run, checkpoint)
    print(json.dumps({"closed form": measure(vae, run, unseen)}), flush=True)
    begin(vae, average, run, resume, checkpoint)
    print(json.dumps({"begins with": measure(vae, run, unseen)}), flush=True)
    optimizer, food = build_optimizer(vae), find_food(run, paintings)
    parameters = list(vae.decoder.parameters())
    start, steps = time.monotonic(), 0

    def save() -> None:
        save_atomically({"model": vae.decoder.state_dict(), "ema": average.state_dict()}, run.folder / DECODER)

    while (elapsed := time.monotonic() - start) < 60 * minutes:
        left = 1 - elapsed / (60 * minutes)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1.0, (steps + 1) / 50, left * 1.5)
        loss = loss_of(vae, run, *next(food))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            decay = min(0.99, (1 + steps) / (10 + steps))
            torch._foreach_lerp_(list(average.parameters()), parameters, 1 - decay)
        steps += 1
        if steps % 50 == 0:
            print(f"{elapsed / 60:5.1f} min  step {steps}  loss {float(loss.detach()):.4f}", flush=True)
            save()
    save()
    vae.decoder.load_state_dict(average.state_dict())
    print(json.dumps({"steps": steps, **measure(vae, run, unseen)}))


@torch.no_grad()
def measure(vae: AutoencoderKLQwenImage21, run: Run, unseen: Paintings | None) -> dict[str, float]:
    """dB over four channels: of scenes that training never shows, and of paintings where they are not quite wrong."""
    pictures = run.composer.paint([task.target for task in evaluation_tasks(run.settings.world, HELD_BACK)])
    found = {"exact dB": psnr(decode(vae, run.code.encode(pictures), run.code.scale, run.composer.side), pictures)}
    if unseen is not None:
        pictures = run.composer.paint_codes(unseen.targets)
        near = not_quite_wrong(run, unseen.latents, pictures)
        answers = decode(vae, unseen.latents, run.code.scale, run.composer.side)
        if near.any():  # an untrained transformer paints nothing that was asked for
            found["painted dB"] = psnr(answers * near, pictures * near) + 10 * math.log10(float(near.mean()))
    return {name: round(value, 2) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the run's, in recipes/mini/configs")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last decoder, where there is one")
    parser.add_argument("--minutes", type=float, help="of training, instead of the configuration's")
    parser.add_argument(
        "--from",
        dest="checkpoint",
        type=Path,
        help="an exported checkpoint to start from; its decoder is taken where it is of the run's world",
    )
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    torch.set_num_threads(settings.threads)
    minutes = arguments.minutes or settings.decoder_minutes
    train_decoder(Run(settings), minutes, arguments.resume, arguments.checkpoint)


if __name__ == "__main__":
    main()
