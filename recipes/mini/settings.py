"""What a configuration file may say: one TOML per scale in `configs/`. Knows only its own keys."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from recipes.mini.model import Sizes

RUNS = Path(__file__).parent / "runs"


@dataclass(frozen=True)
class Settings:
    """One training run. Times are minutes; a run of any length ends with the rate annealed."""

    name: str
    device: str = "auto"
    minutes: float = 90.0
    batch: int = 32
    noises: int = 4  # noised targets that share one condition
    noise_shift: float = 2.5
    rate: float = 1e-3
    warmup_steps: int = 100
    optimizer: str = "muon"
    weight_decay: float = 0.01
    ema: float = 0.998
    compile: bool = False
    threads: int = 2
    seed: int = 1
    save_minutes: float = 5.0
    sample_minutes: float = 12.0
    code_pictures: int = 3000
    decoder_minutes: float = 12.0
    sizes: Sizes = field(default_factory=Sizes)

    @property
    def folder(self) -> Path:
        return RUNS / self.name


def load_settings(path: Path) -> Settings:
    """Read a configuration; an unknown key is an error."""
    table = tomllib.loads(path.read_text())
    sizes = Sizes(**table.pop("sizes", {}))
    return Settings(name=path.stem, sizes=sizes, **table)
