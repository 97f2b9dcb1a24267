"""Where keys and values were kept, and in how many bits, may change a picture by rounding and no more."""

from typing import Any

import pytest
import torch

from overpaint.core.config import EngineConfig
from overpaint.core.request import GenerationRequest
from overpaint.core.task import Priority
from overpaint.core.terms import Terms
from overpaint.engine.limits import Limits
from overpaint.model import prefix_cache
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.conditioner import Conditioner, Prompt
from overpaint.model.prefix_cache import PrefixBlock
from tests.parity.ours import Bench, paint_alone
from tests.reference.measures import max_abs
from tests.reference.pictures import make_picture

TOLERANCE = 1e-3
"""Of latents: fp32 rounding of other tile shapes, amplified over the steps; a wrong key shows as more than 0.1."""
_WIDE, _TALL = make_picture(120, 70, seed=1), make_picture(50, 110, seed=2)
_PATIENT = GenerationRequest("make it green", pictures=(_WIDE, _TALL), seed=3, steps=6)
_URGENT = GenerationRequest("make it blue", pictures=(_TALL, _WIDE), seed=3, steps=6)


def _held_bytes(checkpoint: Checkpoint) -> int:
    bench = Bench(checkpoint)
    bench.submit("measured", _PATIENT)
    bench.run()
    return bench.scheduler.held_bytes


@pytest.mark.parametrize("host_cache_bytes", [0, 10**9], ids=["built again", "back from the host"])
def test_who_lost_its_prefix_on_the_way_paints_what_it_paints_alone(
    plain_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, host_cache_bytes: int
) -> None:
    read: list[str] = []
    lay_out = Conditioner.lay_out

    def noted(self: Conditioner, words: str, references: Any) -> Prompt:
        read.append(words)
        return lay_out(self, words, references)

    room_for_one = _held_bytes(plain_checkpoint) * 5 // 4
    monkeypatch.setattr(Conditioner, "lay_out", noted)
    bench = Bench(plain_checkpoint, Limits(cache_bytes=room_for_one, host_cache_bytes=host_cache_bytes))
    bench.submit("patient", _PATIENT, Terms(priority=Priority.BATCH))
    bench.run(num_ticks=4)
    bench.submit("urgent", _URGENT)
    bench.run()
    stats = bench.scheduler.stats
    assert (stats.num_preemptions, stats.prefix_tokens_reused) == (1, 0)
    assert read == ["make it green", "make it blue"] + (["make it green"] if not host_cache_bytes else [])
    for name, request in (("patient", _PATIENT), ("urgent", _URGENT)):
        alone = paint_alone(plain_checkpoint, request)
        assert max_abs(bench.painted(name).latents[0], alone.latents[0]) <= TOLERANCE


def test_who_lost_its_prefix_to_a_host_without_room_paints_what_it_paints_alone(
    plain_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(rows: torch.Tensor, device: torch.device) -> torch.Tensor:
        raise RuntimeError(f"CUDA error: out of memory for {rows.nbytes} bytes on {device}")

    bench = Bench(plain_checkpoint, Limits(cache_bytes=_held_bytes(plain_checkpoint) * 5 // 4, host_cache_bytes=10**9))
    bench.submit("patient", _PATIENT, Terms(priority=Priority.BATCH))
    bench.run(num_ticks=4)
    monkeypatch.setattr(prefix_cache, "move", refuse)
    bench.submit("urgent", _URGENT)
    bench.run()
    assert bench.scheduler.stats.num_preemptions == 1
    assert bench.scheduler.held_host_bytes == 0
    assert bench.painter.held[0] == bench.scheduler.held_blocks
    for name, request in (("patient", _PATIENT), ("urgent", _URGENT)):
        alone = paint_alone(plain_checkpoint, request)
        assert max_abs(bench.painted(name).latents[0], alone.latents[0]) <= TOLERANCE


def test_what_comes_back_from_the_host_is_the_same_to_the_bit(plain_checkpoint: Checkpoint) -> None:
    bench = Bench(plain_checkpoint, Limits(cache_bytes=_held_bytes(plain_checkpoint) * 5 // 4, host_cache_bytes=10**9))
    bench.submit("first", _PATIENT)
    bench.run(num_ticks=3)
    standing = [key for key in bench.scheduler.held_blocks if bench.painter.prefixes.is_standing(key)]
    kept = {name: [block.rows.clone() for block in bench.painter.prefixes[name].blocks] for name in standing}
    assert len(kept) == 1
    bench.run()
    for name, request in (("other", _URGENT), ("again", _PATIENT)):
        bench.submit(name, request)
        bench.run()
    for name, rows in kept.items():
        now = [block.rows for block in bench.painter.prefixes[name].blocks]
        assert all(torch.equal(a, b) for a, b in zip(rows, now, strict=True))
    assert torch.equal(bench.painted("first").latents[0], bench.painted("again").latents[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_row_in_8_bits_is_off_by_half_a_step_at_most(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    key, value = (torch.randn(9, 2, 16, generator=generator).to(dtype) * 10**power for power in (0, 2))
    value[3] = 0
    block = PrefixBlock.empty(4, (3, 2, 9, 2, 16), dtype, torch.device("cpu"), in_int8=True)
    block.write(1, 4, key, value)
    for rows, read in zip((key, value), block.read(1), strict=True):
        assert read.dtype == dtype
        largest = rows.float().abs().amax(-1, keepdim=True)
        # Half a step of 127, and the product's own rounding to the dtype.
        assert ((read.float() - rows.float()).abs() <= largest * (0.51 / 127 + torch.finfo(dtype).eps)).all()


def test_prefixes_in_8_bits_take_little_more_than_a_quarter_of_fp32_and_paint_nearly_the_same(
    plain_checkpoint: Checkpoint,
) -> None:
    plain, small = Bench(plain_checkpoint), Bench(plain_checkpoint, config=EngineConfig(prefix_dtype="int8"))
    for bench in (plain, small):
        bench.submit("it", _PATIENT)
        bench.run()
    assert small.painter.bytes_per_token < 0.35 * plain.painter.bytes_per_token
    difference = max_abs(plain.painted("it").latents[0], small.painted("it").latents[0])
    assert 0 < difference < 0.05  # half a step of 127 is 0.4 % of a row's largest value
