"""The progress of a run: a live line, a CSV, and a curve drawn as PNG. Knows nothing of training."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import torch
from PIL import Image, ImageDraw

FIELDS = "step,samples,seconds,generate_loss,edit_loss,rate"
EVERY = 20


class Curve:
    """Collects losses and writes a row every `EVERY` steps."""

    def __init__(self, folder: Path, minutes: float) -> None:
        self.path = folder / "loss.csv"
        self.seconds = 60 * minutes
        self.means = [0.0, 0.0]
        self.last = (0.0, 0)
        self.waiting: list[tuple[torch.Tensor, bool]] = []
        if not self.path.exists():
            self.path.write_text(FIELDS + "\n")

    def add(self, step: int, samples: int, seconds: float, loss: torch.Tensor, edit: bool, rate: float) -> None:
        """`loss` is read only every `EVERY` steps, so that a device need not wait in between."""
        self.waiting.append((loss, edit))
        if step % EVERY:
            return
        for value, kind in self.waiting:
            mean = self.means[kind]
            self.means[kind] = float(value) if mean == 0 else mean + 0.05 * (float(value) - mean)
        self.waiting.clear()
        with self.path.open("a") as file:
            values = (step, samples, round(seconds, 1), *(round(m, 5) for m in self.means), rate)
            file.write(",".join(map(str, values)) + "\n")
        self._print(step, samples, seconds, rate)

    def _print(self, step: int, samples: int, seconds: float, rate: float) -> None:
        speed = (samples - self.last[1]) / max(seconds - self.last[0], 1e-6) if self.last[1] else 0
        self.last = (seconds, samples)
        done = min(1.0, seconds / self.seconds)
        bar = "#" * int(30 * done) + "." * (30 - int(30 * done))
        line = (
            f"{time.strftime('%H:%M:%S')} [{bar}] {seconds / 60:5.1f} min  step {step}  "
            f"generate {self.means[0]:.4f}  edit {self.means[1]:.4f}  "
            f"rate {rate:.1e}  {speed:.1f} samples/s"
        )
        print(line, end="\r" if sys.stdout.isatty() else "\n", flush=True)

    def draw(self, width: int = 900, height: int = 420) -> Path:
        """Both losses over time, on a logarithmic axis."""
        rows = [line.split(",") for line in self.path.read_text().splitlines()[1:]]
        picture = Image.new("RGB", (width, height), "white")
        pen = ImageDraw.Draw(picture)
        values = [(float(r[2]), float(r[3]), float(r[4])) for r in rows if float(r[4]) > 0]
        target = self.path.with_suffix(".png")
        if len(values) > 1:
            end = max(v[0] for v in values)
            logs = [math.log10(max(x, 1e-5)) for v in values for x in v[1:]]
            low, high = min(logs), max(logs) + 1e-6
            for column, colour in ((1, "#2563eb"), (2, "#dc2626")):
                points = [
                    (
                        50 + (width - 70) * v[0] / end,
                        20 + (height - 60) * (high - math.log10(max(v[column], 1e-5))) / (high - low),
                    )
                    for v in values
                ]
                pen.line(points, fill=colour, width=2)
            pen.text((50, height - 30), f"0 .. {end / 60:.0f} minutes", fill="black")
            pen.text((5, 15), f"{10**high:.3f}", fill="black")
            pen.text((5, height - 50), f"{10**low:.3f}", fill="black")
            pen.text((width - 220, 20), "blue: generate   red: edit", fill="black")
        picture.save(target)
        return target
