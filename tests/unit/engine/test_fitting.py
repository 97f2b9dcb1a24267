"""What a job needs, and what is said when there is not that much."""

from dataclasses import replace

import pytest
import torch

from overpaint.core.errors import OversizeError
from overpaint.core.request import GenerationRequest
from overpaint.engine.fitting import Demand, check_fits, fits, out_of_memory, work_bytes
from overpaint.engine.job import BlockSpec, JobPlanner
from overpaint.engine.limits import Limits
from overpaint.engine.painter import Painter
from overpaint.engine.plan import PrefixWork
from overpaint.model.attention_adapters import SequenceAttention, VarlenAttention
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.inputs import PrefixInput, StepInput
from overpaint.model.layout import layout_prefix
from overpaint.model.transformer import PackedTransformer
from overpaint.model.vae import PictureCodec, Tiling, work_bytes_per_token
from tests.reference.memory import peak_bytes
from tests.reference.pictures import make_picture
from tests.unit.engine.scheduling import make_job

_LIMITS = Limits(cache_bytes=10_000, work_bytes=10_000, work_bytes_per_token=10)
_DEMAND = Demand(text_tokens=20, reference_tokens=64, num_references=4, target_tokens=64, num_branches=1)


def test_outputs_of_one_request_share_its_memory() -> None:
    assert Demand.of(make_job("one")) == Demand.of(make_job("six", num_images=6))


def test_guidance_holds_the_words_twice_and_the_pictures_once() -> None:
    assert replace(_DEMAND, num_branches=2).kept_bytes(_LIMITS) == 2 * 20 + 4 * 64


def test_what_the_encoder_keeps_is_counted() -> None:
    limits = replace(_LIMITS, bytes_per_token=10, encoder_bytes_per_token=3)
    assert limits.kept_bytes(text_tokens=20, picture_tokens=64) == 10 * 84 + 3 * (20 + 16)
    assert limits.kept_bytes(text_tokens=20) == 10 * 20  # nothing goes on from words


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (replace(_LIMITS, cache_bytes=430), "no guidance or 1 references would fit"),
        (replace(_LIMITS, work_bytes=4500), "no guidance or a picture of 224x224 would fit"),
    ],
)
def test_what_would_fit_is_named(limits: Limits, what: str) -> None:
    pictures = tuple(BlockSpec(name, 2, 200) for name in "ab")
    job = make_job("t", side=256, guided=True, pictures=("a", "b"))
    job = replace(job, prefixes=tuple(replace(s, blocks=(*pictures, s.blocks[-1])) for s in job.prefixes))
    with pytest.raises(OversizeError) as caught:
        check_fits(job, limits)
    assert "2 references and a picture of about 256x256 under guidance" in caught.value.message
    assert what in caught.value.message


def test_what_is_said_to_fit_does_fit() -> None:
    demand = Demand(text_tokens=24, reference_tokens=200, num_references=2, target_tokens=256, num_branches=2)
    tight, narrow = replace(_LIMITS, cache_bytes=430), replace(_LIMITS, work_bytes=4500)
    assert not fits(demand, tight)
    assert not fits(demand, narrow)
    assert fits(replace(demand, num_branches=1), tight)
    assert fits(replace(demand, num_references=1), tight)
    assert fits(replace(demand, target_tokens=196), narrow)
    assert not fits(replace(demand, target_tokens=256), narrow)


def test_a_prefix_that_a_layer_reads_takes_room_to_work_in() -> None:
    limits = replace(_LIMITS, work_bytes_per_token=0, read_bytes_per_token=3)
    assert work_bytes(_DEMAND, limits) == 3 * (20 + 4 * 64)


def test_the_prefixes_of_all_branches_take_room_where_they_are_read_at_once() -> None:
    limits = replace(_LIMITS, read_bytes_per_token=3)
    guided = replace(_DEMAND, num_branches=2)
    prefix = 20 + 4 * 64
    assert work_bytes(guided, limits) == max(2 * 64, prefix) * 10 + prefix * 3
    assert work_bytes(guided, replace(limits, gathers=True)) == max(
        2 * 64 * 10 + 2 * prefix * 3, prefix * 10 + prefix * 3
    )


def test_what_acceleration_keeps_takes_room_and_is_named() -> None:
    limits = replace(_LIMITS, memo_bytes_per_token=4, max_running=3)
    job = make_job("t", num_images=5, guided=True, acceleration="high")
    demand = Demand.of(job)
    assert demand.num_accelerated == 5
    assert work_bytes(demand, limits) - work_bytes(replace(demand, num_accelerated=0), limits) == 3 * 2 * 64 * 4
    with pytest.raises(OversizeError, match="no acceleration or a picture of"):
        check_fits(job, replace(limits, work_bytes=2000))


def test_room_to_work_in_is_counted_as_well() -> None:
    assert fits(_DEMAND, _LIMITS)
    assert not fits(replace(_DEMAND, target_tokens=1001), _LIMITS)
    with pytest.raises(OversizeError, match="to work in"):
        check_fits(make_job("t", side=1024), replace(_LIMITS, cache_bytes=10**9))


def test_who_ran_out_of_memory_is_told_something_smaller() -> None:
    error = out_of_memory(make_job("t", side=512), replace(_LIMITS, cache_bytes=10**9, work_bytes=10**9))
    assert "a picture of" in error.message
    assert "512x512: a picture of 416x416 would fit" in error.message


def test_the_planner_counts_the_tokens_that_the_model_will_see(checkpoint: Checkpoint) -> None:
    painter = Painter(checkpoint)
    planner = JobPlanner(checkpoint.info, painter.conditioner.count_tokens)
    pictures = (make_picture(80, 60, seed=1), make_picture(50, 90, seed=2))
    for count in range(3):
        spec = planner.plan("t", GenerationRequest("make it red", pictures=pictures[:count])).prefixes[0]
        painter.prefixes.begin(spec)
        while not painter.prefixes.is_standing(spec.key):
            painter.prefixes.advance(PrefixWork(spec, 10_000))
        cache = painter.prefixes[spec.key]
        assert [block.num_tokens for block in spec.blocks] == [block.end - block.start for block in cache.blocks]
        limits = Limits(
            bytes_per_token=painter.bytes_per_token, encoder_bytes_per_token=painter.conditioner.bytes_per_token
        )
        said = sum(limits.kept_bytes(block.text_tokens, block.picture_tokens) for block in spec.blocks)
        over = painter.prefixes.num_bytes - said
        assert 0 <= over <= 32 * limits.encoder_bytes_per_token  # the system turn is in no transformer's prefix
        for block in spec.blocks:
            painter.prefixes.release(block.key)


@pytest.mark.parametrize("pack", [1, 4])
@pytest.mark.parametrize("side", [4, 16])
def test_the_predicted_peak_is_reached_and_not_passed(checkpoint: Checkpoint, side: int, pack: int) -> None:
    painter, tokens = Painter(checkpoint), side * side
    transformer = painter._transformer
    cache = transformer.new_cache(layout_prefix([False] * 8, []))
    txt = torch.zeros(8, transformer.context_channels)
    transformer.prefill([PrefixInput(cache.layout.segments, txt, (), cache)])
    latents = torch.zeros(tokens, checkpoint.transformer.config["in_channels"])
    step = peak_bytes(lambda: transformer.step([StepInput(latents, 0.5, (side, side), cache)] * pack))
    said = pack * tokens * transformer.token_bytes.work
    # A picture alone shares one row of the modulation; a pack has one for each token.
    assert (0.6 if pack == 1 else 0.85) * said < step <= said
    codec = PictureCodec(checkpoint.vae)
    decode = peak_bytes(lambda: codec.decode(latents, (side, side)))
    assert 0.4 * tokens * work_bytes_per_token(checkpoint.vae) < decode <= tokens * work_bytes_per_token(checkpoint.vae)


@pytest.mark.parametrize("keeps_int8", [False, True], ids=["as they are", "in 8 bits"])
@pytest.mark.parametrize("gathers", [False, True], ids=["one by one", "at once"])
@pytest.mark.parametrize("pack", [1, 6])
def test_the_prefixes_that_a_pass_reads_are_part_of_its_peak(
    checkpoint: Checkpoint, *, keeps_int8: bool, gathers: bool, pack: int
) -> None:
    """Small targets on long prefixes, where those are most of it."""
    attention = VarlenAttention(_no_kernel, torch.device("cpu")) if gathers else SequenceAttention()
    transformer = PackedTransformer(checkpoint.transformer, attention, keeps_int8=keeps_int8)
    caches = [transformer.new_cache(layout_prefix([False] * 400, [])) for _ in range(pack)]
    for cache in caches:
        for block in cache.blocks:
            block.rows.zero_()
    inputs = [StepInput(torch.zeros(64, transformer.latent_channels), 0.5, (8, 8), cache) for cache in caches]
    limits = Limits(
        work_bytes_per_token=transformer.token_bytes.work,
        read_bytes_per_token=transformer.token_bytes.read,
        gathers=transformer.gathers_prefixes,
    )
    said = limits.pass_bytes(64 * pack, [400] * pack)
    assert limits.gathers == gathers
    assert 0.7 * said < peak_bytes(lambda: transformer.step(inputs)) <= 1.15 * said


def _no_kernel(query: torch.Tensor, *_: object) -> torch.Tensor:
    return torch.empty_like(query)


def test_little_memory_means_small_tiles() -> None:
    assert Tiling.within(10**9) == Tiling()
    small = Tiling.within(32 * 32 + 5)
    assert (small.threshold_tokens, small.tile_tokens, small.overlap_tokens) == (1029, 32, 8)
    assert Tiling.within(1).tile_tokens == 16
