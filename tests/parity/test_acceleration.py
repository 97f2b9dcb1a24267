"""Accelerated pictures: what may change and what must not."""

from dataclasses import replace

import pytest
import torch

from overpaint.core.config import ModelConfig
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.engine import acceleration
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from overpaint.model.step_memo import SkipRule
from tests.parity.ours import Bench, paint_alone
from tests.reference.measures import max_abs, psnr_db
from tests.reference.pictures import make_picture

_EDIT = GenerationRequest("make it green", pictures=(make_picture(120, 70, seed=1),), seed=3, steps=20)
_GUIDED = replace(_EDIT, negative_prompt="blurry", true_cfg_scale=2.0, pictures=())


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level whose rule holds never, so that memos are kept and nobody goes by them."""
    monkeypatch.setitem(acceleration.RULES, "regular", SkipRule(max_change=0.0, max_in_a_row=9))


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level that skips wherever it may: random weights change more than any level allows."""
    monkeypatch.setitem(acceleration.RULES, "high", SkipRule(max_change=100.0, max_in_a_row=3))


@pytest.fixture(scope="module")
def bundled() -> Checkpoint:
    return load_checkpoint(ModelConfig(device="cpu", dtype="float32"))


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize("request_", [_EDIT, _GUIDED], ids=["edit", "guided"])
def test_a_run_that_leaves_nothing_out_is_the_run_without(
    plain_checkpoint: Checkpoint, request_: GenerationRequest
) -> None:
    accelerated = paint_alone(plain_checkpoint, replace(request_, acceleration="regular"))
    assert max_abs(accelerated.latents[0], paint_alone(plain_checkpoint, request_).latents[0]) <= 1e-3


@pytest.mark.parametrize(("level", "least_skipped", "least_db"), [("regular", 2, 35.0), ("high", 5, 25.0)])
def test_an_accelerated_picture_is_near_the_whole_one(
    bundled: Checkpoint, level: acceleration.Acceleration, least_skipped: int, least_db: float
) -> None:
    """On trained weights; the floors are half way from the usual to the worst of `benchmarks.offline.acceleration`."""
    request = GenerationRequest("a cat on a red background", seed=3, steps=20)
    whole = paint_alone(bundled, request)
    bench = Bench(bundled)
    bench.submit("it", replace(request, acceleration=level))
    bench.run(num_ticks=20)
    (memo,) = bench.painter._paintings["it/0"].memos.values()
    bench.run()
    assert memo.num_skipped >= least_skipped
    assert psnr_db(bench.painted("it").pixels[0], whole.pixels[0]) > least_db


@pytest.mark.usefixtures("always")
def test_who_is_beside_an_accelerated_picture_is_not_touched(plain_checkpoint: Checkpoint) -> None:
    bench = Bench(plain_checkpoint)
    bench.submit("fast", replace(_EDIT, acceleration="high"))
    bench.submit("whole", replace(_EDIT, prompt="make it blue", size=Size(96, 160)))
    bench.submit("other fast", replace(_EDIT, acceleration="regular", seed=5))
    bench.run(num_ticks=16)
    assert next(iter(bench.painter._paintings["fast/0"].memos.values())).num_skipped > 2
    bench.run()
    alone = paint_alone(plain_checkpoint, replace(_EDIT, prompt="make it blue", size=Size(96, 160)))
    assert max_abs(bench.painted("whole").latents[0], alone.latents[0]) <= 1e-3


@pytest.mark.usefixtures("always")
def test_acceleration_leaves_the_prefix_as_it_is(plain_checkpoint: Checkpoint) -> None:
    bench = Bench(plain_checkpoint)
    bench.submit("fast", replace(_EDIT, acceleration="high"))
    bench.run()
    bench.submit("after", _EDIT)
    bench.run()
    alone = paint_alone(plain_checkpoint, _EDIT)
    assert max_abs(bench.painted("after").latents[0], alone.latents[0]) <= 1e-3
    assert bench.scheduler.stats.prefix_tokens_reused > 0


@pytest.mark.usefixtures("always")
def test_a_few_steps_are_never_accelerated(plain_checkpoint: Checkpoint) -> None:
    short = replace(_EDIT, steps=6)
    fast = paint_alone(plain_checkpoint, replace(short, acceleration="high"))
    assert torch.allclose(fast.latents[0], paint_alone(plain_checkpoint, short).latents[0], atol=1e-3)
