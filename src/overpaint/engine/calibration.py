"""What work costs this device, and how many tokens to step together.

Packing pays until the device is busy, then it only makes everyone wait. Times the parts of a checkpoint on work of two
sizes each. Knows nothing of requests or scheduling.
"""

from collections.abc import Callable
from itertools import count, pairwise
from math import inf
from time import perf_counter

import torch

from overpaint.core import Picture
from overpaint.core.sizes import fit_area
from overpaint.engine.job import TOKEN_AREA, BlockSpec, PrefixSpec
from overpaint.engine.limits import Cost, Costs
from overpaint.engine.plan import PrefixWork
from overpaint.engine.prefixes import Prefixes
from overpaint.engine.stats import Calibration
from overpaint.model.device import wait_for
from overpaint.model.inputs import PrefixInput, StepInput
from overpaint.model.layout import Grid, layout_prefix
from overpaint.model.transformer import PackedTransformer
from overpaint.model.vae import PictureCodec

_PACKS = (1, 2, 4, 8)
_SETTLED, _MOST_CALLS = 3, 12
"""A call's time is settled when so many in a row were no faster than the best; the first ones of a shape are slow."""
_FEWEST_ROUNDS, _MOST_ROUNDS, _ROUNDS_S = 3, 7, 0.25
"""Packs are compared for so long, and further where that showed no gain: it may have been stalls, and is for good."""
_PREFIX_TOKENS = 32
_GOOD_ENOUGH = 1.1
"""A pack is large enough when a token costs at most this much more than in the best pack."""
_NO_GAIN = 0.97
"""The device is busy when doubling a pack leaves this share of a token's time."""

_LEAST_SHARE = 0.1
"""What one more token takes, of what each takes in the largest pack: less cannot be told from what takes no time."""

_Sample = tuple[int, float]
"""Tokens, and the seconds they took."""


def calibrate(
    transformer: PackedTransformer,
    prefixes: Prefixes,
    codec: PictureCodec,
    grid: Grid,
    reference_area: int,
    work_bytes: int,
) -> Calibration:
    """Time packs of pictures of one size, prefixes without and with a picture, and decoding.

    Args:
        transformer: to time.
        prefixes: to build prefixes with; left as they were.
        codec: to decode with.
        grid: a typical picture.
        reference_area: pixels of a reference picture.
        work_bytes: what a step may take; larger packs are not tried.
    """
    steps = _time_packs(transformer, codec.channels, grid, work_bytes // transformer.token_bytes.work)
    decodes = [_time_decode(codec, transformer.device, part) for part in (_half(grid), grid)]
    builds = [_time_prefix(prefixes, reference_area, transformer.device, pictures) for pictures in (0, 1)]
    return Calibration(_tick_tokens(steps), _costs(steps, builds, decodes), dict(steps))


def _tick_tokens(steps: list[_Sample]) -> int:
    best = min(seconds / tokens for tokens, seconds in steps)
    return next(tokens for tokens, seconds in steps if seconds / tokens <= _GOOD_ENOUGH * best)


def _costs(steps: list[_Sample], builds: list[_Sample], decodes: list[_Sample]) -> Costs:
    """Straight lines through the samples, in units of what one more token of a step takes."""
    per_token, fixed = _line(steps)
    tokens, seconds = steps[-1]
    unit = max(per_token, _LEAST_SHARE * seconds / tokens)
    lines = [Cost(slope / unit, start / unit) for slope, start in (_line(builds), _line(decodes))]
    return Costs(Cost(1.0, fixed / unit), *lines)


def _line(samples: list[_Sample]) -> tuple[float, float]:
    """Slope and start of the line through the first and the last sample; neither is below zero."""
    (few, short), (many, long) = samples[0], samples[-1]
    slope = max(0.0, (long - short) / (many - few)) if many > few else short / few
    return slope, max(0.0, short - slope * few)


def _time_packs(transformer: PackedTransformer, channels: int, grid: Grid, most_tokens: int) -> list[_Sample]:
    tokens = grid[0] * grid[1]
    cache = transformer.new_cache(layout_prefix([False] * _PREFIX_TOKENS, []))
    txt = torch.zeros(_PREFIX_TOKENS, transformer.context_channels, device=transformer.device)
    transformer.prefill([PrefixInput(cache.layout.segments, txt, (), cache)])
    item = StepInput(torch.zeros(tokens, channels, device=transformer.device), 0.5, grid, cache)

    def step(pack: int) -> Callable[[], object]:
        return lambda: transformer.step([item] * pack)

    samples: list[_Sample] = []
    for pack, doubled in pairwise(_PACKS):
        if doubled * tokens > most_tokens:
            break
        seconds, times_as_long = _compare(step(pack), step(doubled), transformer.device)
        samples = samples or [(tokens, seconds)]
        samples.append((doubled * tokens, samples[-1][1] * times_as_long))
        if times_as_long / 2 > _NO_GAIN:
            break
    return samples or [(tokens, _time(step(1), transformer.device))]


def _time_decode(codec: PictureCodec, device: torch.device, grid: Grid) -> _Sample:
    latents = torch.zeros(grid[0] * grid[1], codec.channels, device=device)
    return len(latents), _time(lambda: codec.decode(latents, grid), device)


def _time_prefix(prefixes: Prefixes, reference_area: int, device: torch.device, num_pictures: int) -> _Sample:
    """Seconds to read and run a prefix of one word and so many grey pictures."""
    size = fit_area(reference_area, 1.0)
    picture = Picture(size.width, size.height, "RGB", bytes(3 * size.area))
    tokens = _PREFIX_TOKENS + num_pictures * size.area // TOKEN_AREA
    number = count()

    def build() -> None:
        key = f"calibration/{next(number)}"  # a name of its own: latents are kept by name
        names = [f"{key}/{index}" for index in range(num_pictures + 1)]
        blocks = tuple(BlockSpec(name, 0) for name in names)
        spec = PrefixSpec(blocks, "a", (picture,) * num_pictures, (key,) * num_pictures)
        try:
            prefixes.begin(spec)
            while not prefixes.is_standing(spec.key):
                prefixes.advance(PrefixWork(spec, tokens))
        finally:
            for name in names:
                prefixes.release(name)

    return tokens, _time(build, device)


def _half(grid: Grid) -> Grid:
    return max(1, grid[0] // 2), max(1, grid[1] // 2)


def _compare(call: Callable[[], object], other: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Seconds of a call, and how many times as long the other one takes; in turn: a machine is faster at times."""
    rounds: list[tuple[float, float]] = []
    for each in (call, other):
        _time_once(each, device)  # the first call of a shape is slow
    start = perf_counter()
    while len(rounds) < _MOST_ROUNDS:
        rounds.append((_time_once(call, device), _time_once(other, device)))
        is_late = len(rounds) >= _FEWEST_ROUNDS and perf_counter() - start > _ROUNDS_S
        if is_late and _times_as_long(rounds) / 2 <= _NO_GAIN:
            break
    return min(seconds for seconds, _ in rounds), _times_as_long(rounds)


def _times_as_long(rounds: list[tuple[float, float]]) -> float:
    """The second lowest ratio: the lowest may be a stall of the first call; stalls of the other only raise some."""
    return sorted(longer / seconds for seconds, longer in rounds)[1]


def _time(call: Callable[[], object], device: torch.device) -> float:
    """Fastest of as many calls as it takes to settle, in seconds."""
    best, since = inf, 0
    for _ in range(_MOST_CALLS):
        seconds = _time_once(call, device)
        since = 0 if seconds < best else since + 1
        best = min(best, seconds)
        if since == _SETTLED:
            break
    return best


def _time_once(call: Callable[[], object], device: torch.device) -> float:
    start = perf_counter()
    call()
    wait_for(device)
    return perf_counter() - start
