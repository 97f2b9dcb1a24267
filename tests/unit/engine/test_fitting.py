"""What a job needs, and what is said when there is not that much."""

from dataclasses import replace

import pytest
import torch

from overpaint.core.errors import OversizeError
from overpaint.core.request import GenerationRequest
from overpaint.engine.fitting import Demand, check_fits, fits, out_of_memory
from overpaint.engine.job import JobPlanner
from overpaint.engine.limits import Limits
from overpaint.engine.painter import Painter
from overpaint.engine.plan import PrefixWork
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.layout import layout_prefix
from overpaint.model.transformer import PrefixInput, StepInput
from overpaint.model.vae import PictureCodec, Tiling, work_bytes_per_token
from tests.reference.memory import peak_bytes
from tests.reference.pictures import make_picture
from tests.unit.engine.scheduling import make_job

_LIMITS = Limits(cache_bytes=10_000, work_bytes=10_000, work_bytes_per_token=10)
_DEMAND = Demand(text_tokens=20, reference_tokens=64, num_references=4, target_tokens=64, num_branches=1)


def test_outputs_of_one_request_share_its_memory() -> None:
    assert Demand.of(make_job("one")) == Demand.of(make_job("six", num_images=6))


def test_guidance_holds_everything_twice() -> None:
    guided, plain = (Demand.of(make_job("t", guided=guided)) for guided in (True, False))
    assert guided.kept_bytes(_LIMITS) == 2 * plain.kept_bytes(_LIMITS)


def test_what_the_encoder_keeps_is_counted() -> None:
    limits = replace(_LIMITS, bytes_per_token=10, encoder_bytes_per_token=3)
    assert limits.kept_bytes(text_tokens=20, picture_tokens=64, target_tokens=16) == 10 * 100 + 3 * (20 + 16)


def test_what_would_fit_is_named_and_does_fit() -> None:
    job = make_job("t", side=256, guided=True, pictures=("a", "b"), prefix_tokens=500)
    job = replace(job, prefixes=tuple(replace(spec, picture_tokens=400) for spec in job.prefixes))
    limits = replace(_LIMITS, cache_bytes=1150)
    with pytest.raises(OversizeError) as caught:
        check_fits(job, limits)
    assert "2 references and a picture of about 256x256 under guidance" in caught.value.message
    assert "no guidance or 1 references or a picture of 128x128 would fit" in caught.value.message
    demand = Demand.of(job)
    for smaller in (replace(demand, num_branches=1), replace(demand, num_references=1)):
        assert fits(smaller, limits)
    assert fits(replace(demand, target_tokens=64), limits)
    assert not fits(replace(demand, target_tokens=100), limits)


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
        painter.prefixes.begin(spec, None, 0)
        assert painter.prefixes.num_tokens(spec.key) == spec.num_tokens
        while not painter.prefixes.is_standing(spec.key):
            painter.prefixes.advance(PrefixWork(spec, None, 10_000))
        standing = painter.prefixes._standing[spec.key]
        limits = Limits(
            bytes_per_token=painter.bytes_per_token, encoder_bytes_per_token=painter.conditioner.bytes_per_token
        )
        held = standing.cache.num_bytes + standing.memory.num_bytes
        said = limits.kept_bytes(spec.num_tokens - spec.picture_tokens, spec.picture_tokens, 0)
        assert 0 <= held - said <= 32 * limits.encoder_bytes_per_token  # the system turn is in no transformer's prefix
        painter.prefixes.release(spec.key)


@pytest.mark.parametrize("side", [4, 16])
def test_the_predicted_peak_is_reached_and_not_passed(checkpoint: Checkpoint, side: int) -> None:
    painter, tokens = Painter(checkpoint), side * side
    transformer = painter._transformer
    cache = transformer.new_cache(layout_prefix([False] * 8, []), tokens)
    txt = torch.zeros(8, transformer.context_channels)
    transformer.prefill([PrefixInput(cache.layout.segments, txt, (), cache)])
    latents = torch.zeros(tokens, checkpoint.transformer.config["in_channels"])
    step = peak_bytes(lambda: transformer.step([StepInput(latents, 0.5, (side, side), cache)]))
    assert 0.8 * tokens * transformer.work_bytes_per_token < step <= 1.05 * tokens * transformer.work_bytes_per_token
    codec = PictureCodec(checkpoint.vae)
    decode = peak_bytes(lambda: codec.decode(latents, (side, side)))
    assert 0.4 * tokens * work_bytes_per_token(checkpoint.vae) < decode <= tokens * work_bytes_per_token(checkpoint.vae)


def test_little_memory_means_small_tiles() -> None:
    assert Tiling.within(10**9) == Tiling()
    small = Tiling.within(32 * 32 + 5)
    assert (small.threshold_tokens, small.tile_tokens, small.overlap_tokens) == (1029, 32, 8)
    assert Tiling.within(1).tile_tokens == 16
