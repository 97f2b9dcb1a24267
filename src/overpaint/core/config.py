"""Frozen configuration values, checked at construction.

Knows nothing of flags, files or environment: `settings` reads those.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from overpaint.core.errors import ConfigError, SettingError

Device = Literal["auto", "cuda", "mps", "cpu"]
Dtype = Literal["auto", "bfloat16", "float16", "float32"]
PrefixDtype = Literal["auto", "int8"]
PREFIX_DTYPES: tuple[PrefixDtype, ...] = ("auto", "int8")
DEVICES: tuple[Device, ...] = ("auto", "cuda", "mps", "cpu")
DTYPES: tuple[Dtype, ...] = ("auto", "bfloat16", "float16", "float32")
Memory = Literal["auto", "resident", "offload"]
MEMORY: tuple[Memory, ...] = ("auto", "resident", "offload")
Weights = Literal["bf16", "fp8", "int8", "int4"]
WEIGHTS: tuple[Weights, ...] = ("bf16", "fp8", "int8", "int4")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which checkpoint to load, and where to.

    Args:
        source: folder or hub id; None is the bundled checkpoint.
        device: ``"auto"`` takes cuda, else mps, else cpu.
        dtype: ``"auto"`` takes bfloat16 where the device computes in it, else float32.
        memory: ``"resident"`` keeps all weights on the device; ``"offload"`` keeps the encoder and the VAE on the host
            between uses, and as many of the transformer's blocks as must be; ``"auto"`` does so where it is needed.
        weights: how the matrices of the transformer's blocks are held; ``"bf16"`` is as they are, in `dtype`.
        transformer: a GGUF file that holds the transformer's weights instead of the checkpoint's own.
    """

    source: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    memory: str = "auto"
    weights: str = "bf16"
    transformer: Path | None = None

    def __post_init__(self) -> None:
        _one_of("device", self.device.split(":")[0], DEVICES)
        _one_of("dtype", self.dtype, DTYPES)
        _one_of("memory", self.memory, MEMORY)
        _one_of("weights", self.weights, WEIGHTS)
        if self.transformer is not None and self.weights != "bf16":
            raise SettingError(
                "weights", f"{self.weights!r} is not for a GGUF transformer, which has its own; leave it out"
            )


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How the engine schedules.

    Args:
        max_running: pictures under way at most; more wait.
        tick_tokens: latent tokens stepped together at most; None finds out at start where packing stops paying.
        prefill_tokens: prefix tokens run in one tick at most (a picture is never split), so that a newcomer with many
            references stalls the running ones no longer than that.
        cache_bytes: keys and values held at most, of what runs and of what is kept for reuse; None takes a share
            of the device's free memory.
        host_cache_bytes: of the host's memory, for those that had to leave the device; of no use where the device is
            the host.
        prefix_dtype: what keys and values are kept in: ``"auto"`` is the model's own dtype, ``"int8"`` takes about half
            of its bytes and costs some precision.
        adapter_bytes: LoRA adapters on the device at most; None takes a share of its free memory.
        share_prefixes: let tenants share the prefix cache. Timing can then tell one that another used a picture.
        compile: compile what lies between matrix products at load; takes a minute, and a compiler for the device.
        trace: file for a timeline of the last ticks, for chrome://tracing or Perfetto; None writes none.
    """

    max_running: int = 16
    tick_tokens: int | None = None
    prefill_tokens: int = 4096
    cache_bytes: int | None = None
    host_cache_bytes: int = 0
    prefix_dtype: str = "auto"
    adapter_bytes: int | None = None
    share_prefixes: bool = False
    compile: bool = False
    trace: Path | None = None

    def __post_init__(self) -> None:
        _positive("max_running", self.max_running)
        _positive("tick_tokens", self.tick_tokens)
        _positive("prefill_tokens", self.prefill_tokens)
        _positive("cache_bytes", self.cache_bytes)
        _positive("adapter_bytes", self.adapter_bytes)
        _one_of("prefix_dtype", self.prefix_dtype, PREFIX_DTYPES)
        if self.host_cache_bytes < 0:
            raise ConfigError(f"host_cache_bytes: {self.host_cache_bytes} must not be below 0")


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingError(key, f"{value!r} must be one of {', '.join(allowed)}")


def _positive(key: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise ConfigError(f"{key}: {value} must be at least 1")
