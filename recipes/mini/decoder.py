"""Training of the autoencoder's decoder, on from the closed form, with the encoder frozen.

    python -m recipes.mini.decoder --config recipes/mini/configs/cpu.toml --resume

It learns to sharpen what the principal components leave out, and to shrug off small errors in the
latents: its input is the latents plus a little noise. Knows nothing of prompts or transformers.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLQwenImage21

from recipes.mini.batches import Rows, TaskRows, load_rows
from recipes.mini.run import DECODER, Run, save_atomically
from recipes.mini.settings import load_settings
from recipes.mini.tasks import evaluation_tasks
from recipes.mini.vae import CARRIED, build_vae, decode, psnr

NOISE = 0.06
RATE = 3e-4
OUTER_RATE = 5e-5  # the closed form's own layers: small weights that are nearly right


def draw_pictures(run: Run, rows: Iterator[Rows]) -> torch.Tensor:
    return run.composer.paint_codes(next(rows).targets.to(run.device))


def step(vae: AutoencoderKLQwenImage21, run: Run, pictures: torch.Tensor) -> torch.Tensor:
    """Loss of decoding noisy latents: square error for the level, absolute for the edges."""
    latents = run.code.encode(pictures)
    noise = NOISE * torch.rand(len(latents), 1, 1, device=latents.device)
    noisy = latents + noise * torch.randn_like(latents)
    with torch.autocast(latents.device.type, torch.bfloat16):
        found = decode(vae, noisy, run.code.scale, run.composer.side).float()
    error = found - pictures
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


def train_decoder(run: Run, minutes: float, resume: bool, checkpoint: Path | None = None) -> None:
    """Train for a time budget, keep an average of the weights, save both."""
    vae = build_vae(run.code.to("cpu")).to(run.device)
    print(json.dumps({"closed form dB": round(measure(vae, run), 2)}), flush=True)
    average = build_vae(run.code.to("cpu")).to(run.device).decoder
    path, trained = run.folder / DECODER, run.trained_decoder()
    if resume and trained is not None:
        state = torch.load(trained, map_location=run.device)
        vae.decoder.load_state_dict(state["model"])
        average.load_state_dict(state["ema"])
    elif checkpoint is not None:
        exported: Any = AutoencoderKLQwenImage21.from_pretrained(checkpoint / "vae")
        vae.decoder.load_state_dict(exported.decoder.state_dict())
        average.load_state_dict(exported.decoder.state_dict())
    optimizer = build_optimizer(vae)
    parameters = list(vae.decoder.parameters())
    settings = run.settings
    tasks = TaskRows(settings.world, run.prompts, settings.decoder_batch, time.time_ns() % 100_000, settings.pad_to)
    rows, start, steps = load_rows(tasks, settings.workers), time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < 60 * minutes:
        left = 1 - elapsed / (60 * minutes)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1.0, (steps + 1) / 50, left * 1.5)
        loss = step(vae, run, draw_pictures(run, rows))
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
            state = {"model": vae.decoder.state_dict(), "ema": average.state_dict()}
            save_atomically(state, path)
    save_atomically({"model": vae.decoder.state_dict(), "ema": average.state_dict()}, path)
    vae.decoder.load_state_dict(average.state_dict())
    print(json.dumps({"steps": steps, "dB": round(measure(vae, run), 2)}))


@torch.no_grad()
def measure(vae: AutoencoderKLQwenImage21, run: Run) -> float:
    """dB over all four channels on 64 scenes that training never shows."""
    pictures = run.composer.paint([task.target for task in evaluation_tasks(run.settings.world, 64)])
    found = decode(vae, run.code.encode(pictures), run.code.scale, run.composer.side)
    return psnr(found, pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--from", dest="checkpoint", type=Path, help="an exported checkpoint to start from")
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    torch.set_num_threads(settings.threads)
    minutes = arguments.minutes or settings.decoder_minutes
    train_decoder(Run(settings), minutes, arguments.resume, arguments.checkpoint)


if __name__ == "__main__":
    main()
