"""The only reader of environment and configuration files. Gives back frozen values; knows no flag and no engine.

What a caller names (a flag, an argument) goes before the environment, which goes before the default.
"""

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from overpaint.core.config import EngineConfig, ModelConfig, PrefixDtype
from overpaint.core.errors import ConfigError
from overpaint.images.limits import MIB

PREFIX = "OVERPAINT_"
_OF_CLIENTS = ("key", "url")
"""What examples and copied code read from the environment; no settings, and no mistakes."""
_QUIET = {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error"}
_NO_BARS = {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}
_NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class Settings(BaseSettings):
    """What the environment says.

    Args:
        model: folder or hub id of the checkpoint; None is the bundled one.
        device: auto, cuda, cuda:N, mps or cpu.
        dtype: auto, bfloat16, float16 or float32.
        memory: auto, resident or offload.
        weights: bf16, fp8, int8 or int4.
        transformer: GGUF file that holds the transformer's weights; None takes the checkpoint's own.
        debug: whether an error shows its traceback.
        adapters: folder of LoRA files, each to be named in requests.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    model: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    memory: str = "auto"
    weights: str = "bf16"
    transformer: Path | None = None
    debug: bool = False
    adapters: Path | None = None


class ServerSettings(Settings):
    """What a server is told besides.

    Args:
        host: address to listen on; ``0.0.0.0`` is every one.
        port: to listen on.
        data_dir: folder of everything that is kept, where no other place is named.
        database: ``sqlite:///PATH`` or ``postgresql://...``; None is a SQLite file in `data_dir`.
        outputs: folder or ``s3://bucket/prefix``; None is a folder in `data_dir`.
        models_file: catalogue of models; None is the one that ships.
        public_url: what clients reach this server by; None takes it from each request.
        tls_cert: certificate chain, PEM; with `tls_key`.
        tls_key: its private key, PEM.
        tls_self_signed: make a certificate for development, and keep it in `data_dir`.
        proxy_port: to listen on as an HTTP proxy for clients whose hosts cannot be changed; None does not. Needs TLS.
        sync_timeout_s: how long a call that waits for its result is held at most.
        max_running: tasks that step together at most.
        prefix_cache_mib: of the device, for keys and values of pictures and prompts; None takes half of what is free.
        prefix_host_mib: of the host's memory, for those that had to leave the device.
        prefix_dtype: what they are kept in: the model's own dtype, or 8 bits.
        lease_s: tasks of a process that died come back after this long; longer than its longest silence.
        stall_s: an engine that owes pictures and says nothing for this long, or loads and does not get on, is killed
            and started again; 0 is never.
        keep_days: how long inputs and outputs are kept.
        max_picture_mib: largest picture file that is taken, however it comes.
        max_upload_mib: of uploads that a key without a limit of its own may have stored at once; None is no limit.
        adapter_urls: whether adapters may be fetched from URLs, guarded as pictures are.
        max_adapter_mib: largest LoRA file that is fetched.
        adapter_cache_mib: for LoRA files that callers sent, beside what the output store keeps.
        safety: off, flag or block; of pictures.
        prompt_rules: file of words that are not painted, and why; None refuses none.
        enhancer: who enriches prompts: rules, or the checkpoint's own language model.
        enhancer_url: an OpenAI-compatible chat URL that does instead.
        enhancer_model: what to ask there.
        allowed_hosts: networks and hosts besides public ones that pictures may be fetched from and webhooks sent to,
            separated by commas.
        log_level: DEBUG, INFO, WARNING or ERROR.
        log_prompts: whether the log line of a request that was accepted holds its prompt.
        page: whether there is a web page at ``/``.
        open_page: whether visitors from this very machine need no key on it.
        compile: compile parts of the model at start, for its device.
        trace: file for a timeline of the engine's last ticks.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Path("overpaint-data")
    database: str | None = None
    outputs: str | None = None
    models_file: Path | None = None
    public_url: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_self_signed: bool = False
    proxy_port: int | None = Field(default=None, ge=0, le=65535)
    sync_timeout_s: float = Field(default=120.0, gt=0, le=3600)
    max_running: int = Field(default=EngineConfig().max_running, ge=1)
    prefix_cache_mib: int | None = Field(default=None, ge=1)
    prefix_host_mib: int = Field(default=0, ge=0)
    prefix_dtype: PrefixDtype = "auto"
    lease_s: float = Field(default=20.0, ge=2, le=3600)
    stall_s: float = Field(default=900.0, ge=0)
    keep_days: float = Field(default=7.0, gt=0, le=36_500)
    max_picture_mib: int = Field(default=64, ge=1, le=1024)
    max_upload_mib: int | None = Field(default=None, ge=0)
    adapter_urls: bool = True
    max_adapter_mib: int = Field(default=512, ge=1, le=4096)
    adapter_cache_mib: int = Field(default=8192, ge=1)
    safety: Literal["off", "flag", "block"] = "off"
    prompt_rules: Path | None = None
    enhancer: Literal["rules", "model"] = "rules"
    enhancer_url: str | None = None
    enhancer_model: str = "default"
    allowed_hosts: str = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_prompts: bool = False
    page: bool = True
    open_page: bool = False
    compile: bool = False
    trace: Path | None = None


def read_settings() -> Settings:
    """Read `OVERPAINT_*`.

    Raises:
        ConfigError: a variable is not one of ours, or holds what it cannot.
    """
    _check_names()
    try:
        return Settings()
    except ValidationError as exc:
        raise _unusable(exc) from exc


def read_server_settings(given: Mapping[str, object], config: Path | None = None) -> ServerSettings:
    """What a server is told: by flags, else the environment, else a TOML file, else the default.

    Args:
        given: what flags say; None says nothing.
        config: a file with the same names as the settings, in lower case and without the prefix.

    Raises:
        ConfigError: a name is not a setting, a value cannot be used, or the file cannot be read.
    """
    _check_names()
    in_environment = {name.upper() for name, value in os.environ.items() if value}
    filed = {key: value for key, value in _read_toml(config).items() if variable(key) not in in_environment}
    try:
        values: dict[str, Any] = filed | {key: value for key, value in given.items() if value is not None}
        return ServerSettings(**values)
    except ValidationError as exc:
        flags = {name: flag(name) for name, value in given.items() if value is not None}
        raise _unusable(exc, {name: f"config: {name}" for name in filed} | flags) from exc


def config_path() -> Path | None:
    """The file that `OVERPAINT_CONFIG` names."""
    return Path(name) if (name := os.environ.get(f"{PREFIX}CONFIG")) else None


def stay_at_home() -> None:
    """Switch off what libraries send about their use. Takes effect on those not imported yet."""
    for name, value in _NO_TELEMETRY.items():
        os.environ[name] = value


def _check_names() -> None:
    known = {variable(name) for name in (*ServerSettings.model_fields, "config")}
    theirs = {variable(name) for name in _OF_CLIENTS}
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known | theirs:
            raise ConfigError(f"{name}: is not a setting; the settings are {', '.join(sorted(known))}")


def _read_toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, ValueError) as exc:
        raise ConfigError(f"config: {str(path)!r} cannot be read ({exc})") from exc
    for key in values:
        if key not in ServerSettings.model_fields:
            raise ConfigError(f"config: {key} in {str(path)!r} is not a setting")
    return values


def variable(name: str) -> str:
    """The environment's name for a setting."""
    return f"{PREFIX}{name}".upper()


def flag(name: str) -> str:
    """The command line's name for a setting."""
    return "--" + name.replace("_", "-")


def _unusable(exc: ValidationError, said: Mapping[str, str] | None = None) -> ConfigError:
    """What is wrong, under the name by which it was said: in the environment, where `said` has no other."""
    first = exc.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else "settings"
    name = (said or {}).get(field, variable(field))
    return ConfigError(f"{name}: {first['input']!r} is not usable ({_clause(first['msg'])})")


def _clause(message: str) -> str:
    """A sentence as part of another; what it quotes keeps its capitals."""
    return message[:1].lower() + message[1:]


def read_model_config(given: Mapping[str, object] | None = None) -> ModelConfig:
    """Which checkpoint to load, where to and how: what is given here, else the environment, else the default.

    Args:
        given: values by the names of the settings; None says nothing.

    Raises:
        ConfigError: a value is not one that can be used.
    """
    named = {name: value for name, value in (given or {}).items() if value not in (None, "")}
    return model_config_of(read_settings().model_copy(update=named))


def model_config_of(settings: Settings) -> ModelConfig:
    """Which checkpoint to load, where to and how.

    Raises:
        ConfigError: a value is not one that can be used.
    """
    return ModelConfig(
        source=settings.model,
        device=settings.device,
        dtype=settings.dtype,
        memory=settings.memory,
        weights=settings.weights,
        transformer=settings.transformer and _at_home(settings.transformer),
    )


def _at_home(path: Path) -> Path:
    """A path that may begin with `~`, as `--model` may; nobody's home is left for who opens it to tell."""
    with suppress(RuntimeError):
        return path.expanduser()
    return path


def engine_config_of(settings: ServerSettings) -> EngineConfig:
    """How a server's engine schedules.

    Raises:
        ConfigError: a value is not one that can be used.
    """
    return EngineConfig(
        max_running=settings.max_running,
        cache_bytes=settings.prefix_cache_mib and settings.prefix_cache_mib * MIB,
        host_cache_bytes=settings.prefix_host_mib * MIB,
        prefix_dtype=settings.prefix_dtype,
        compile=settings.compile,
        trace=settings.trace,
    )


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
