"""A device's memory divided: what the engine admits jobs by, and what `doctor` says before anything is loaded.

A quarter of what the weights leave is to work in, half is for keys and values, and the last quarter is nobody's:
adapters, latents and an allocator's holes come out of it. Torch-free.
"""

from overpaint.core.config import EngineConfig
from overpaint.engine.limits import UNLIMITED, Limits
from overpaint.model.token_bytes import TokenBytes


def work_share(free_bytes: int) -> int:
    """Bytes to work in, of those that the weights leave."""
    return free_bytes // 4


def limits_within(
    free_bytes: int,
    work_bytes: int,
    per_token: TokenBytes,
    encoder_bytes_per_token: int,
    config: EngineConfig,
    *,
    gathers: bool = False,
) -> Limits:
    """The configuration with `auto` values resolved.

    Args:
        free_bytes: what the weights leave.
        work_bytes: of these, to work in.
        per_token: what one takes in the transformer.
        encoder_bytes_per_token: and in the encoder, which keeps its own keys and values.
        config: what is asked for.
        gathers: whether a layer reads the prefixes of a whole pack at once.
    """
    at_once = max(1, work_bytes // per_token.work)
    return Limits(
        max_running=config.max_running,
        tick_tokens=config.tick_tokens or UNLIMITED,
        prefill_tokens=min(config.prefill_tokens, at_once),
        cache_bytes=config.cache_bytes or free_bytes // 2,
        host_cache_bytes=config.host_cache_bytes,
        bytes_per_token=per_token.kept,
        encoder_bytes_per_token=encoder_bytes_per_token,
        work_bytes=work_bytes,
        work_bytes_per_token=per_token.work,
        read_bytes_per_token=per_token.read,
        gathers=gathers,
        memo_bytes_per_token=per_token.memo,
    )
