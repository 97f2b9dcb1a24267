"""What goes where on devices of many sizes; the checkpoint is Qwen-Image-2.1 by its numbers, which need no loading."""

from dataclasses import replace

import pytest

from overpaint.core.config import EngineConfig
from overpaint.core.errors import ConfigError
from overpaint.engine.fitting import work_bytes
from overpaint.engine.placing import Device, Fit, Placer
from overpaint.model.footprint import Footprint
from overpaint.model.params import TransformerParams
from overpaint.model.placement import RESIDENT, Placement

GIB = 2**30
BF16 = 2
QWEN = Footprint(
    params=TransformerParams(32, 32, 128, (), 0.0, True),
    block_matrices=218_103_808,
    block_rest=256,
    ends=135_794_688,
    encoder=8_767_123_696,
    encoder_visit=1_200_000_000,
    vae=337_740_404,
    encoder_kept_per_token=2 * 36 * 8 * 128,
    resolution=1024,
)


def placer(gib: float, weights: str = "bf16", *, has_host: bool = True) -> Placer:
    return Placer(QWEN, weights, BF16, Device(int(gib * GIB), has_host), EngineConfig())


def place(gib: float, memory: str = "auto", weights: str = "bf16") -> Fit:
    return placer(gib, weights).place(memory)


def test_a_large_card_keeps_everything() -> None:
    assert place(80).placement == RESIDENT
    assert place(80, "offload").placement == Placement(is_offloaded=True)


@pytest.mark.parametrize("gib", [24, 16, 12])
def test_an_edit_of_a_megapixel_fits_on_small_cards(gib: int) -> None:
    fit, usual = place(gib), placer(gib).usual
    assert fit.placement.is_offloaded
    assert fit.can(usual)
    assert fit.peak_bytes(usual) < gib * GIB


def test_no_more_blocks_are_streamed_than_must_be() -> None:
    assert place(24).placement.num_streamed == 0
    streamed = place(16).placement.num_streamed
    assert 0 < streamed < QWEN.num_blocks
    fewer = placer(16)._with_streamed(streamed - 1)
    assert not fewer.can(placer(16).usual)


def test_fewer_bits_stream_less() -> None:
    streamed = [place(16, weights=weights).placement.num_streamed for weights in ("bf16", "int8", "int4")]
    assert streamed == sorted(streamed, reverse=True)
    assert streamed[-1] == 0


def test_what_is_streamed_is_on_the_device_two_at_a_time() -> None:
    whole, streamed = (placer(80)._with_streamed(num) for num in (0, 12))
    assert whole.weight_bytes - streamed.weight_bytes == 10 * QWEN.bytes_of_block("bf16", BF16)


def test_every_byte_is_counted_once() -> None:
    fit = place(24)
    assert fit.weight_bytes + fit.visit_bytes + 2 * fit.limits.cache_bytes == pytest.approx(24 * GIB, abs=4)
    demand = placer(24).demand(1024, 4)
    kept = demand.kept_bytes(fit.limits) + work_bytes(demand, fit.limits)
    assert fit.peak_bytes(demand) == fit.weight_bytes + fit.visit_bytes + kept


def test_prefixes_in_8_bits_are_multiplied_out_when_they_are_read() -> None:
    placers = (replace(placer(24), config=EngineConfig(prefix_dtype=dtype)) for dtype in ("auto", "int8"))
    plain, small = (each.place("auto").limits for each in placers)
    assert small.read_bytes_per_token == 2 * plain.read_bytes_per_token
    assert small.bytes_per_token < 0.51 * plain.bytes_per_token


def test_jobs_at_the_same_time_are_those_whose_keys_and_values_fit() -> None:
    fit, demand = place(24), placer(24).demand(1024, 1)
    num = fit.max_running(demand)
    assert num * demand.kept_bytes(fit.limits) <= fit.limits.cache_bytes < (num + 1) * demand.kept_bytes(fit.limits)
    assert fit.max_running(replace(demand, num_references=10)) == 0


def test_weights_that_do_not_fit_are_refused_with_numbers() -> None:
    with pytest.raises(ConfigError, match=r"take 30\.\d GiB with 'resident' and 'bf16', and the device has 24\.0 GiB"):
        place(24, "resident")
    with pytest.raises(ConfigError, match="doctor"):
        place(2)


def test_a_device_that_shares_the_hosts_memory_keeps_everything_unless_told_otherwise() -> None:
    small = placer(16, has_host=False)
    assert small.place("auto").placement == RESIDENT
    assert small.place("offload").placement.is_offloaded


def test_a_gguf_transformer_takes_what_its_file_says() -> None:
    packed = replace(QWEN, block_bytes=120_000_000)
    fit = Placer(packed, "bf16", BF16, Device(16 * GIB, has_host=True), EngineConfig()).place("auto")
    assert fit.placement.num_streamed == 0
    assert fit.weight_bytes == 32 * 120_000_000 + QWEN.ends * BF16
