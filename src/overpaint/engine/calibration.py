"""How many tokens to step together: packing pays until the device is busy, then it only makes everyone wait.

Times the transformer on packs of growing size. Knows nothing of requests or scheduling.
"""

from time import perf_counter

import torch

from overpaint.engine.stats import TickBudget
from overpaint.model.layout import Grid, layout_prefix
from overpaint.model.transformer import PackedTransformer, PrefixInput, StepInput

_PACKS = (1, 2, 4, 8)
_REPEATS = 3
_PREFIX_TOKENS = 32
_GOOD_ENOUGH = 1.1
"""A pack is large enough when a token costs at most this much more than in the best pack."""


def calibrate(transformer: PackedTransformer, grid: Grid, channels: int, context_channels: int) -> TickBudget:
    """Time packs of pictures of one size.

    Args:
        transformer: to time.
        grid: a typical picture.
        channels: of its latents.
        context_channels: of the encoder's hidden states.
    """
    tokens = grid[0] * grid[1]
    cache = transformer.new_cache(layout_prefix([False] * _PREFIX_TOKENS, []), tokens)
    txt = torch.zeros(_PREFIX_TOKENS, context_channels, device=transformer.device)
    transformer.prefill([PrefixInput(cache.layout.segments, txt, (), cache)])
    item = StepInput(torch.zeros(tokens, channels, device=transformer.device), 0.5, grid, cache)
    seconds = {pack: _time_pack(transformer, [item] * pack) for pack in _PACKS}
    per_picture = {pack: total / pack for pack, total in seconds.items()}
    best = min(per_picture.values())
    pack = next(pack for pack in _PACKS if per_picture[pack] <= _GOOD_ENOUGH * best)
    return TickBudget(pack * tokens, {size * tokens: total for size, total in seconds.items()})


def _time_pack(transformer: PackedTransformer, items: list[StepInput]) -> float:
    """Fastest of a few passes, in seconds."""
    return min(_time_once(transformer, items) for _ in range(_REPEATS))


def _time_once(transformer: PackedTransformer, items: list[StepInput]) -> float:
    start = perf_counter()
    transformer.step(items)
    if transformer.device.type == "cuda":
        torch.cuda.synchronize(transformer.device)
    return perf_counter() - start
