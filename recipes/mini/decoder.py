"""Training of the autoencoder's decoder, on from the closed form, with the encoder frozen.

    python -m recipes.mini.decoder --config recipes/mini/configs/cpu.toml --resume

It learns to sharpen what the principal components leave out, and to shrug off small errors in the
latents: its input is the latents plus a little noise. Knows nothing of prompts or transformers.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKLQwenImage21

from recipes.mini.scenes import SIZE
from recipes.mini.settings import load_settings
from recipes.mini.tasks import draw_allowed
from recipes.mini.train import Run, save_atomically
from recipes.mini.vae import build_vae, decode, psnr

BATCH = 16
NOISE = 0.06
RATE = 4e-4


def draw_pictures(run: Run, rng: random.Random, count: int = BATCH) -> torch.Tensor:
    return run.composer.paint([draw_allowed(rng, (1, 2, 2)) for _ in range(count)])


def step(vae: AutoencoderKLQwenImage21, run: Run, pictures: torch.Tensor) -> torch.Tensor:
    """Loss of decoding noisy latents: square error for the level, absolute for the edges."""
    latents = run.code.encode(pictures)
    noise = NOISE * torch.rand(len(latents), 1, 1, device=latents.device)
    noisy = latents + noise * torch.randn_like(latents)
    with torch.autocast(latents.device.type, torch.bfloat16):
        found = decode(vae, noisy, run.code.scale, SIZE).float()
    error = (found - pictures)[:, :3]
    return error.square().mean() * 10 + error.abs().mean()


def train_decoder(run: Run, minutes: float, resume: bool) -> None:
    """Train for a time budget, keep an average of the weights, save both."""
    vae = build_vae(run.code.to("cpu")).to(run.device)
    average = build_vae(run.code.to("cpu")).to(run.device).decoder
    path = run.folder / "decoder.pt"
    if resume and path.exists():
        state = torch.load(path, map_location=run.device)
        vae.decoder.load_state_dict(state["model"])
        average.load_state_dict(state["ema"])
    parameters = list(vae.decoder.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=(0.9, 0.98), fused=True)
    rng, start, steps = random.Random(time.time_ns()), time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < 60 * minutes:
        left = 1 - elapsed / (60 * minutes)
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (steps + 1) / 50, left * 1.5)
        loss = step(vae, run, draw_pictures(run, rng))
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
    state = {"model": vae.decoder.state_dict(), "ema": average.state_dict()}
    save_atomically(state, path)
    vae.decoder.load_state_dict(average.state_dict())
    print(json.dumps({"steps": steps, "dB": round(measure(vae, run), 2)}))


@torch.no_grad()
def measure(vae: AutoencoderKLQwenImage21, run: Run) -> float:
    """dB on 64 scenes that training never shows."""
    rng = random.Random(5)
    scenes = [draw_allowed(rng, (1, 2), held_out=True) for _ in range(64)]
    pictures = run.composer.paint(scenes)
    found = decode(vae, run.code.encode(pictures), run.code.scale, SIZE)
    return psnr(found[:, :3], pictures[:, :3])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float)
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    torch.set_num_threads(settings.threads)
    train_decoder(Run(settings), arguments.minutes or settings.decoder_minutes, arguments.resume)


if __name__ == "__main__":
    main()
