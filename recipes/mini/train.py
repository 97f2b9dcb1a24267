"""Training of the text encoder and the transformer together, by flow matching.

    python -m recipes.mini.train --config recipes/mini/configs/cpu.toml --resume

The loss is on the velocity `noise - latents`, at K noise levels per condition, so that the prefix
is computed once for K targets. Weights are fp32 masters with a bfloat16 working copy; an
exponential average is what gets exported. The rate follows elapsed time, so any budget ends
annealed. Knows nothing of export or evaluation.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

import recipes.mini.model as networks
from recipes.mini.batches import Batch, Batches
from recipes.mini.curves import Curve
from recipes.mini.model import MiniModel, build_model
from recipes.mini.scenes import Composer
from recipes.mini.settings import Settings, load_settings
from recipes.mini.tokenizer import Prompts, special_ids, train_tokenizer
from recipes.mini.vae import PatchCode, fit_code

POLISH_RATE = 5e-4


def pick_device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def save_atomically(value: Any, path: Path) -> None:
    """Write beside the file, then rename: a crash leaves the old one."""
    beside = path.with_suffix(".part")
    torch.save(value, beside)
    beside.replace(path)


class Run:
    """The fixed parts of a run, made once and kept in its folder: tokenizer and patch code."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.device = pick_device(settings.device)
        self.folder = settings.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.composer = Composer(self.device)
        self.tokenizer = self._tokenizer()
        self.code = self._code().to(self.device)
        self.prompts = Prompts(self.tokenizer, settings.sizes.slots)

    def _tokenizer(self) -> Tokenizer:
        path = self.folder / "tokenizer.json"
        if not path.exists():
            train_tokenizer().save(str(path))
        return Tokenizer.from_file(str(path))

    def _code(self) -> PatchCode:
        path = self.folder / "code.pt"
        if not path.exists():
            code = fit_code(self.composer, self.settings.code_pictures).to("cpu")
            save_atomically([code.mean, code.basis, code.std, code.scale], path)
        return PatchCode(*torch.load(path))

    def build(self) -> MiniModel:
        """The networks with fresh weights, in fp32."""
        torch.manual_seed(self.settings.seed)
        special = special_ids(self.tokenizer)
        model = build_model(self.settings.sizes, self.tokenizer.get_vocab_size(), special)
        return model.to(self.device)

    def averaged(self) -> MiniModel:
        """The networks with the averaged weights of the last checkpoint."""
        model = self.build()
        state = torch.load(self.folder / "state.pt", map_location=self.device)
        model.load_state_dict(state["ema"])
        return model.eval()


class Optimizers:
    """Muon for the matrices of the blocks, AdamW for everything else."""

    def __init__(self, model: MiniModel, settings: Settings) -> None:
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        inner = [p for n, p in named if p.ndim == 2 and ("blocks." in n or "language_model.layers." in n)]
        chosen = {id(p) for p in inner} if settings.optimizer == "muon" else set[int]()
        outer = [p for _, p in named if id(p) not in chosen]
        decay = settings.weight_decay
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(outer, lr=1.0, betas=(0.9, 0.98), weight_decay=decay, fused=True)
        ]
        if chosen:
            self.parts.append(
                torch.optim.Muon(inner, lr=1.0, weight_decay=decay, adjust_lr_fn="match_rms_adamw", ns_steps=4)
            )

    def step(self, rate: float) -> None:
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[Any]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[Any]) -> None:
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


class Trainer:
    """One run in progress."""

    def __init__(self, run: Run) -> None:
        self.run, self.settings = run, run.settings
        self.master = run.build()
        self.average = run.build().requires_grad_(False)
        self.worker = run.build().to(torch.bfloat16)
        self.optimizers = Optimizers(self.master, self.settings)
        self.pairs = list(zip(self.worker.parameters(), self.master.parameters(), strict=True))
        self.weights = channel_weights(run.code)
        self.steps, self.samples, self.elapsed = 0, 0, 0.0
        self.stopped = False
        self.polish = 0.0
        if self.settings.compile:
            networks.run_block = torch.compile(networks.run_block, dynamic=True)
        self._copy_to_worker()

    @torch.no_grad()
    def _copy_to_worker(self) -> None:
        for worker, master in self.pairs:
            worker.copy_(master)

    def rate(self) -> float:
        """Warm-up by steps, then flat for a fifth, then cosine over the time budget."""
        if self.polish:
            left = self.settings.minutes - self.elapsed / 60
            return POLISH_RATE * max(0.02, left / self.polish)
        progress = min(self.elapsed / (60 * self.settings.minutes), 1.0)
        anneal = 0.5 + 0.5 * math.cos(math.pi * max(0.0, (progress - 0.2) / 0.8))
        warm = min(1.0, (self.steps + 1) / self.settings.warmup_steps)
        return self.settings.rate * warm * max(anneal, 0.01)

    def step(self, batch: Batch) -> float:
        """One update; returns the loss."""
        drop = self.run.prompts.drop
        loss = flow_loss(self.worker, batch, drop, self.settings, self.weights)
        loss.backward()
        with torch.no_grad():
            for worker, master in self.pairs:
                if worker.grad is not None:
                    master.grad = worker.grad.float()
                worker.grad = None
            nn.utils.clip_grad_norm_(self.master.parameters(), 1.0)
            self.optimizers.step(self.rate())
            self._copy_to_worker()
            self._average()
        self.steps += 1
        self.samples += len(batch.ids)
        return float(loss.detach())

    def _average(self) -> None:
        decay = min(self.settings.ema, (1 + self.steps) / (10 + self.steps))
        averages = list(self.average.parameters())
        torch._foreach_lerp_(averages, list(self.master.parameters()), 1 - decay)

    def save(self) -> None:
        state = {
            "model": self.master.state_dict(),
            "ema": self.average.state_dict(),
            "optimizers": self.optimizers.state_dict(),
            "progress": (self.steps, self.samples, self.elapsed),
        }
        save_atomically(state, self.run.folder / "state.pt")

    def resume(self) -> bool:
        path = self.run.folder / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.run.device)
        self.master.load_state_dict(state["model"])
        self.average.load_state_dict(state["ema"])
        self.optimizers.load_state_dict(state["optimizers"])
        self.steps, self.samples, self.elapsed = state["progress"]
        self._copy_to_worker()
        return True

    def stop(self, *_: object) -> None:
        """Finish the step in progress, save and leave; `--resume` goes on from there."""
        self.stopped = True

    def train(self) -> None:
        """Train until the time budget is used up, saving on the way."""
        settings = self.settings
        seed = settings.seed + self.samples
        torch.manual_seed(seed)
        batches = iter(
            Batches(self.run.prompts, self.run.code, self.run.composer, settings.batch, seed, self.polish > 0)
        )
        curve = Curve(self.run.folder, settings.minutes)
        start, saved = time.monotonic() - self.elapsed, self.elapsed
        signal.signal(signal.SIGTERM, self.stop)
        while self.elapsed < 60 * settings.minutes and not self.stopped:
            batch = next(batches)
            loss = self.step(batch)
            self.elapsed = time.monotonic() - start
            edit = batch.references is not None
            curve.add(self.steps, self.samples, self.elapsed, loss, edit, self.rate())
            if self.elapsed - saved > 60 * settings.save_minutes:
                saved = self.elapsed
                self.save()
                curve.draw()
        self.save()
        curve.draw()


def channel_weights(code: PatchCode) -> torch.Tensor:
    """Loss weights (64,): components that are seen more weigh mildly more; mean one."""
    weights = (code.std / code.std[0]).sqrt().clamp(min=0.2)
    return weights / weights.mean()


def draw_sigma(shape: tuple[int, int], shift: float, device: torch.device) -> torch.Tensor:
    """Noise levels in 0..1, one stratum per target of a sample, shifted towards noise.

    Under little noise the target gives itself away; only under much noise must the answer come
    from the instruction and the reference.
    """
    even = (torch.arange(shape[1], device=device) + torch.rand(shape, device=device)) / shape[1]
    return (shift * even / (1 + (shift - 1) * even)).clamp(0.002, 1.0)


def flow_loss(model: MiniModel, batch: Batch, drop: int, settings: Settings, weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean square error of the velocity."""
    clean = batch.targets[:, None]
    sigma = draw_sigma((len(clean), settings.noises), settings.noise_shift, clean.device)
    noise = torch.randn(len(clean), settings.noises, *clean.shape[2:], device=clean.device)
    mix = sigma[:, :, None, None]
    noisy = (1 - mix) * clean + mix * noise
    velocity = model(batch.ids, drop, batch.pictures, batch.references, noisy, sigma)
    return ((velocity.float() - (noise - clean)).square() * weights).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--polish", type=float, default=0.0, help="minutes of a second annealing on more replace and remove"
    )
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    torch.set_num_threads(settings.threads)
    trainer = Trainer(Run(settings))
    resumed = arguments.resume and trainer.resume()
    if arguments.polish:
        trainer.polish = arguments.polish
        trainer.settings = replace(settings, minutes=trainer.elapsed / 60 + arguments.polish)
    print(json.dumps({"run": settings.name, "resumed": resumed, "steps": trainer.steps}))
    trainer.train()


if __name__ == "__main__":
    main()
