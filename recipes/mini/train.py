"""Training of the text encoder and the transformer together, by flow matching.

    python -m recipes.mini.train --config recipes/mini/configs/cpu.toml --minutes 60

Goes on from the run's last state; `--from CHECKPOINT` starts a new run from exported weights.
Weights are fp32 masters with a working copy in bfloat16, where the device multiplies in it; an exponential average
is what gets exported.
The rate follows the training time of all invocations together, and is annealed at the horizon. Knows
nothing of export or evaluation.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

import recipes.mini.denoiser as denoiser
from recipes.mini.batches import Batch, Painter, TaskRows, load_rows
from recipes.mini.curves import Curve
from recipes.mini.fixed import load_code
from recipes.mini.guidance import Teacher
from recipes.mini.losses import Networks, channel_weights, flow_loss
from recipes.mini.optimizers import Optimizers
from recipes.mini.run import STATE, Run, carry_over, load_checkpoint, pick_dtype, read_recipe, save_atomically
from recipes.mini.settings import load_settings
from recipes.mini.world import WORLDS

STARTED = time.monotonic()
LONGEST_STEP = 20.0  # seconds; a step that took longer was stopped meanwhile
FLAT = 0.2  # share of the horizon at full rate; a cosine follows


def rounded(networks: Networks, dtype: torch.dtype) -> Networks:
    """With parameters in another dtype; buffers stay: a rotary frequency must not be rounded."""
    for parameter in networks.parameters():
        parameter.data = parameter.data.to(dtype)
    return networks


class Trainer:
    """One run in progress."""

    def __init__(self, run: Run) -> None:
        self.run, self.settings = run, run.settings
        self.master = run.networks()
        self.average = run.networks().requires_grad_(False)
        self.dtype = pick_dtype(run.device)
        self.worker = rounded(run.networks(), self.dtype)
        self.teacher: Teacher | None = None
        self.optimizers = Optimizers(self.master, self.settings.weight_decay, self.dtype)
        self.weights = channel_weights(run.code)
        self.steps, self.samples, self.elapsed = 0, 0, 0.0
        self.stopped = False
        if self.settings.compile:
            torch._dynamo.config.suppress_errors = True  # the run goes on without a compiler that fails, and says so
            denoiser.run_block = torch.compile(denoiser.run_block)
        self.take_over()
        if self.settings.teacher:
            self.learn_from(*run.teacher())

    def learn_from(self, teacher: Networks, learned: float) -> None:
        """Begin with a teacher's weights, and learn its guidance into them, or go on with what it `learned` of it."""
        self.master.load_state_dict(teacher.state_dict())
        self.average.load_state_dict(teacher.state_dict())
        self.take_over()
        self.teacher = Teacher(rounded(teacher, self.dtype).model, self.run.prompts, self.settings.guidance, learned)

    @torch.no_grad()
    def take_over(self) -> None:
        """Working copy from the masters."""
        torch._foreach_copy_(list(self.worker.parameters()), list(self.master.parameters()))

    def rate(self) -> float:
        """Warm-up by steps, then flat, then cosine over the horizon."""
        progress = min(self.elapsed / (60 * self.settings.horizon), 1.0)
        anneal = 0.5 + 0.5 * math.cos(math.pi * max(0.0, (progress - FLAT) / (1 - FLAT)))
        warm = min(1.0, (self.steps + 1) / self.settings.warmup_steps)
        return self.settings.rate * warm * max(anneal, 0.01)

    def step(self, batch: Batch) -> torch.Tensor:
        """One update; returns the error of the velocity."""
        noises, shift = self.settings.noises, self.settings.noise_shift
        loss, error = flow_loss(self.worker, batch, noises, shift, self.weights, self.teacher)
        loss.backward()
        for worker, master in zip(self.worker.parameters(), self.master.parameters(), strict=True):
            master.grad = None if worker.grad is None else worker.grad.float()
            worker.grad = None
        nn.utils.clip_grad_norm_(self.master.parameters(), 1.0)
        self.optimizers.step(self.rate())
        self.take_over()
        self._average()
        self.steps += 1
        self.samples += len(batch.targets)
        return error

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.settings.ema, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.master.parameters()), 1 - decay)

    def save(self) -> None:
        state = {
            "model": self.master.state_dict(),
            "ema": self.average.state_dict(),
            "optimizers": self.optimizers.state_dict(),
            "progress": (self.steps, self.samples, self.elapsed),
        }
        save_atomically(state, self.run.folder / STATE)

    def resume(self) -> bool:
        path = self.run.folder / STATE
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.run.device)
        self.master.load_state_dict(state["model"])
        self.average.load_state_dict(state["ema"])
        self.optimizers.load_state_dict(state["optimizers"])
        self.steps, self.samples, self.elapsed = state["progress"]
        self.take_over()
        return True

    def start_from(self, checkpoint: Path) -> list[str]:
        """Begin with exported weights; returns the names that did not fit."""
        left = load_checkpoint(self.master, checkpoint)
        world = WORLDS[read_recipe(checkpoint)["world"]]
        if world != self.settings.world:
            carry_over(self.master.model, load_code(world).to(self.run.device), self.run.code)
        self.average.load_state_dict(self.master.state_dict())
        self.take_over()
        return left

    def stop(self, *_: object) -> None:
        """Finish the step in progress, save and leave."""
        self.stopped = True

    def train(self, minutes: float) -> None:
        """Train until `minutes` after the program started, or the horizon; a state is always left."""
        settings, run = self.settings, self.run
        signal.signal(signal.SIGTERM, self.stop)
        seed = settings.seed + self.samples
        torch.manual_seed(seed)
        rows = TaskRows(settings.world, run.prompts, settings.batch, seed, settings.pad_to)
        painter = Painter(run.composer, run.code, run.prompts.drop)
        curve = Curve(run.folder, settings.horizon)
        saved, last = self.elapsed, time.monotonic()
        for batch in map(painter.batch, load_rows(rows, settings.workers)):
            error = self.step(batch)
            now = time.monotonic()
            self.elapsed += min(now - last, LONGEST_STEP)
            last = now
            edit = batch.conditions.pictures.shape[1] > 0
            curve.add(self.steps, self.samples, self.elapsed, error, edit, self.rate())
            if self.elapsed - saved > 60 * settings.save_minutes:
                saved = self.elapsed
                self.save()
                curve.draw()
            late = time.monotonic() - STARTED > 60 * minutes
            if late or self.stopped or self.elapsed > 60 * settings.horizon:
                break
        self.save()
        curve.draw()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=math.inf, help="leave after this time, start-up included")
    parser.add_argument("--horizon", type=float, help="minutes of training in all, instead of the configuration's")
    parser.add_argument("--from", dest="checkpoint", type=Path, help="exported weights to start a new run from")
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    if arguments.horizon:
        settings = replace(settings, horizon=arguments.horizon)
    torch.set_num_threads(settings.threads)
    torch.set_float32_matmul_precision("high")
    # Attention under a mask, and its gradient, is what cuDNN's kernels are youngest in; the others take as long here.
    torch.backends.cuda.enable_cudnn_sdp(False)
    trainer = Trainer(Run(settings))
    resumed = trainer.resume()
    report = {"run": settings.name, "resumed": resumed, "steps": trainer.steps}
    if arguments.checkpoint and not resumed:
        report["fresh weights"] = trainer.start_from(arguments.checkpoint)
    print(json.dumps(report), flush=True)
    trainer.train(arguments.minutes)


if __name__ == "__main__":
    main()
