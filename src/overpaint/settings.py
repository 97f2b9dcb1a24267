"""The only reader of the environment. Gives back the frozen configuration of `core`; knows no flag and no engine.

What a caller names (a flag, an argument) goes before the environment, which goes before the default.
"""

import os

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from overpaint.core.config import ModelConfig
from overpaint.core.errors import ConfigError

PREFIX = "OVERPAINT_"
_QUIET = {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error"}
_NO_BARS = {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}


class Settings(BaseSettings):
    """What the environment says.

    Args:
        model: folder or hub id of the checkpoint; None is the bundled one.
        device: auto, cuda, cuda:N, mps or cpu.
        dtype: auto, bfloat16, float16 or float32.
        debug: whether an error shows its traceback.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    model: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    debug: bool = False


def read_settings() -> Settings:
    """Read `OVERPAINT_*`.

    Raises:
        ConfigError: a variable is not one of ours, or holds what it cannot.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise ConfigError(f"{name}: is not a setting; the settings are {', '.join(sorted(known))}")
    try:
        return Settings()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = f"{PREFIX}{first['loc'][0]}".upper()
        raise ConfigError(f"{name}: {first['input']!r} is not usable ({first['msg'].lower()})") from exc


def read_model_config(model: str | None = None, device: str | None = None, dtype: str | None = None) -> ModelConfig:
    """Which checkpoint to load and where to: what is given here, else the environment, else the default.

    Raises:
        ConfigError: a value is not one that can be used.
    """
    settings = read_settings()
    return ModelConfig(model or settings.model, device or settings.device, dtype or settings.dtype)


def is_debugging() -> bool:
    """Whether `OVERPAINT_DEBUG` asks for tracebacks; never raises, because it is asked while an error is told."""
    return os.environ.get(f"{PREFIX}DEBUG", "").lower() in ("1", "true", "yes", "on")


def silence_libraries(*, keep_bars: bool) -> None:
    """Have the libraries below log errors only. Takes effect on those not imported yet.

    Args:
        keep_bars: whether their progress bars stay, which is what a person wants to see while gigabytes are fetched.
    """
    for name, value in (_QUIET if keep_bars else _QUIET | _NO_BARS).items():
        os.environ.setdefault(name, value)
