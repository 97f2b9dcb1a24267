"""What a configuration file may say: one TOML per scale in `configs/`. Knows only its own keys."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from recipes.mini.networks import Sizes
from recipes.mini.world import WORLDS, World

RUNS = Path(__file__).parent / "runs"


@dataclass(frozen=True)
class Settings:
    """One training run. `horizon` is the minutes of training after which the rate is annealed.

    `teacher` names a run, or the folder of an exported checkpoint, whose average this one begins with, and learns the
    `guidance` of.
    """

    name: str
    world: World
    device: str = "auto"
    horizon: float = 90.0
    batch: int = 32
    noises: int = 2  # noised targets that share one condition
    noise_shift: float = 2.5
    rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    ema: float = 0.998
    compile: bool = False
    teacher: str = ""
    guidance: float = 1.0
    pad_to: int | None = None  # tokens of a turn beside its pictures, a multiple of 16; None: exact lengths
    workers: int = 0
    threads: int = 2
    seed: int = 1
    save_minutes: float = 5.0
    decoder_minutes: float = 12.0
    decoder_batch: int = 16
    decoder_paintings: int = 3000  # latents of the run's own that the decoder learns from
    sizes: Sizes = field(default_factory=Sizes)

    @property
    def folder(self) -> Path:
        return RUNS / self.name

    @property
    def teacher_folder(self) -> Path:
        """Where the teacher's run keeps what it learned, or the teacher's checkpoint (a name with a slash)."""
        return Path(self.teacher) if "/" in self.teacher else RUNS / self.teacher

    @property
    def grid(self) -> int:
        """Latent tokens a side."""
        return self.world.side // 16


def load_settings(path: Path) -> Settings:
    """Read a configuration; an unknown key is an error."""
    table = tomllib.loads(path.read_text())
    sizes = Sizes(**table.pop("sizes", {}))
    world = WORLDS[table.pop("world")]
    return Settings(name=path.stem, world=world, sizes=sizes, **table)
