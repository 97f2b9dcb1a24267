"""Adapters that stay apart from the weights paint what diffusers paints with the same files loaded through PEFT."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from overpaint.core.request import AdapterFile, GenerationRequest
from overpaint.core.sizes import Size
from overpaint.core.task import Priority
from overpaint.core.terms import Terms
from overpaint.engine.limits import Limits
from overpaint.model.checkpoint import Checkpoint
from tests.parity.ours import Bench, paint_alone, paint_together
from tests.reference.cases import RESOLUTION
from tests.reference.loras import STYLES, Style, adapter, write_lora
from tests.reference.measures import max_abs
from tests.reference.pictures import make_picture
from tests.reference.pipeline import run_reference

# As for plain checkpoints (test_pipeline_parity.py): the same fp32 sums in another order, amplified over the steps.
TOLERANCE = 1e-3
VISIBLE = 0.05
_EDIT = GenerationRequest("make it green", pictures=(make_picture(90, 70, seed=6),), seed=11, steps=6)
_GUIDED = replace(_EDIT, negative_prompt="blurry", true_cfg_scale=3.0, size=Size(128, 64))
_LAYERS = {
    "qkv": ("to_q", "to_k", "to_v"),
    "value": ("to_v",),
    "up": ("img_mlp.proj",),
    "ends": ("img_in", "proj_out", "in_layer", "out_layer"),
    "times": ("linear_1", "linear_2", "modulation.1", "norm_out.linear"),
    "all": None,
}
Reference = Callable[[GenerationRequest], Tensor]
Write = Callable[..., AdapterFile]


@pytest.fixture(scope="module")
def lora(plain_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Write:
    folder = tmp_path_factory.mktemp("loras")

    @cache
    def write(seed: int, layers: str = "all", style: Style = "diffusers", scale: float = 1.0) -> AdapterFile:
        path = folder / f"{seed}-{layers}-{style}.safetensors"
        return adapter(
            write_lora(path, plain_checkpoint.info.linears, seed=seed, style=style, layers=_LAYERS[layers]), scale
        )

    return write


@pytest.fixture(scope="module")
def reference(plain_pipeline: Any) -> Reference:
    """What diffusers paints for a request, its adapters loaded for it alone."""

    @cache
    def paint(request: GenerationRequest) -> Tensor:
        names = [f"adapter{index}" for index in range(len(request.adapters))]
        for name, file in zip(names, request.adapters, strict=True):
            plain_pipeline.load_lora_weights(
                Path(file.path).parent, weight_name=Path(file.path).name, adapter_name=name
            )
        if names:
            plain_pipeline.set_adapters(names, [file.scale for file in request.adapters])
        try:
            return run_reference(plain_pipeline, request, output_resolution=RESOLUTION).latents[0]
        finally:
            plain_pipeline.unload_lora_weights()

    return paint


@pytest.mark.parametrize("layers", _LAYERS)
def test_one_adapter_matches_the_pipeline(
    plain_checkpoint: Checkpoint, lora: Write, reference: Reference, layers: str
) -> None:
    request = replace(_EDIT, adapters=(lora(1, layers),))
    ours = paint_alone(plain_checkpoint, request).latents[0]
    assert max_abs(ours, reference(request)) <= TOLERANCE
    assert max_abs(ours, reference(_EDIT)) > VISIBLE


@pytest.mark.parametrize("style", STYLES)
def test_whoever_wrote_the_file_it_paints_the_same(
    plain_checkpoint: Checkpoint, lora: Write, reference: Reference, style: Style
) -> None:
    ours = paint_alone(plain_checkpoint, replace(_EDIT, adapters=(lora(1, "all", style),))).latents[0]
    assert max_abs(ours, reference(replace(_EDIT, adapters=(lora(1, "all"),)))) <= TOLERANCE


@pytest.mark.parametrize("style", ["kohya", "comfy"])
def test_files_of_others_are_read_as_diffusers_reads_them(
    plain_checkpoint: Checkpoint, lora: Write, reference: Reference, style: Style
) -> None:
    request = replace(_EDIT, adapters=(lora(2, "qkv", style),))
    assert max_abs(paint_alone(plain_checkpoint, request).latents[0], reference(request)) <= TOLERANCE


@pytest.mark.parametrize("scale", [-1.0, 0.4, 2.0])
def test_the_scale_is_the_pipelines(
    plain_checkpoint: Checkpoint, lora: Write, reference: Reference, scale: float
) -> None:
    request = replace(_EDIT, adapters=(lora(1, "qkv", "diffusers", scale),))
    assert max_abs(paint_alone(plain_checkpoint, request).latents[0], reference(request)) <= TOLERANCE


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_several_adapters_add_up(plain_checkpoint: Checkpoint, lora: Write, reference: Reference) -> None:
    several = (lora(1, "qkv"), lora(2, "all", "diffusers", 0.5), lora(3, "up", "kohya", -0.7))
    request = replace(_GUIDED, adapters=several)
    assert max_abs(paint_alone(plain_checkpoint, request).latents[0], reference(request)) <= TOLERANCE


def test_a_scale_of_nothing_is_no_adapter(plain_checkpoint: Checkpoint, lora: Write) -> None:
    bench = Bench(plain_checkpoint)
    bench.submit("none", _EDIT)
    bench.run()
    bench.submit("zero", replace(_EDIT, adapters=(lora(1, "all", "diffusers", 0.0),)))
    bench.run()
    assert torch.equal(bench.painted("none").latents[0], bench.painted("zero").latents[0])
    assert bench.scheduler.stats.prefix_tokens_reused > 0


@pytest.fixture(scope="module")
def mixed(lora: Write) -> list[GenerationRequest]:
    """Requests that differ in nothing but adapters, and some that differ in more."""
    first, second = lora(1, "all"), lora(2, "qkv")
    return [
        _EDIT,
        replace(_EDIT, adapters=(first,)),
        replace(_EDIT, adapters=(first,), seed=12),
        replace(_EDIT, adapters=(second,)),
        replace(_EDIT, adapters=(lora(1, "all", "diffusers", 0.3),)),
        replace(_EDIT, adapters=(first, second)),
        replace(_GUIDED, adapters=(second,)),
        replace(_GUIDED, adapters=()),
    ]


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_a_pack_of_different_adapters_and_none_matches_the_pipeline(
    plain_checkpoint: Checkpoint, mixed: list[GenerationRequest], reference: Reference
) -> None:
    for request, painted in zip(mixed, paint_together(plain_checkpoint, mixed), strict=True):
        assert max_abs(painted.latents[0], reference(request)) <= TOLERANCE


def test_accelerated_sequences_in_a_mixed_pack_paint_what_they_paint_alone(
    plain_checkpoint: Checkpoint, mixed: list[GenerationRequest]
) -> None:
    requests = [replace(request, acceleration="high", steps=12) for request in mixed]
    for request, painted in zip(requests, paint_together(plain_checkpoint, requests), strict=True):
        assert max_abs(painted.latents[0], paint_alone(plain_checkpoint, request).latents[0]) <= TOLERANCE


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_the_same_pictures_and_words_share_nothing_across_adapters(
    plain_checkpoint: Checkpoint, mixed: list[GenerationRequest], reference: Reference
) -> None:
    bench = Bench(plain_checkpoint)
    by_adapters = {request.adapters: request for request in mixed[:6]}
    for index, request in enumerate(by_adapters.values()):
        bench.submit(str(index), request)
        bench.run()
        assert bench.scheduler.stats.prefix_tokens_reused == 0
        assert max_abs(bench.painted(str(index)).latents[0], reference(request)) <= TOLERANCE
    bench.submit("again", replace(mixed[1], seed=12))
    bench.run()
    assert bench.scheduler.stats.prefix_tokens_reused > 0


def test_who_loses_its_prefix_to_another_gets_one_of_its_own_adapters_again(
    plain_checkpoint: Checkpoint, mixed: list[GenerationRequest], reference: Reference
) -> None:
    measured = Bench(plain_checkpoint)
    measured.submit("it", mixed[1])
    measured.run()
    bench = Bench(plain_checkpoint, Limits(cache_bytes=measured.scheduler.held_bytes * 3 // 2))
    bench.submit("patient", mixed[1], Terms(priority=Priority.BATCH))
    bench.run(num_ticks=4)
    bench.submit("urgent", mixed[3])
    bench.run()
    assert bench.scheduler.stats.num_evictions >= 2
    for name, request in (("patient", mixed[1]), ("urgent", mixed[3])):
        assert max_abs(bench.painted(name).latents[0], reference(request)) <= TOLERANCE


def test_a_reproducible_request_is_the_same_to_the_bit_whatever_adapters_run_beside_it(
    plain_checkpoint: Checkpoint, mixed: list[GenerationRequest]
) -> None:
    terms = Terms(reproducible=True)
    alone, crowded = Bench(plain_checkpoint), Bench(plain_checkpoint)
    alone.submit("it", mixed[1], terms)
    for index, request in enumerate(mixed):
        crowded.submit(str(index), request)
    crowded.submit("it", mixed[1], terms)
    for bench in (alone, crowded):
        bench.run()
    assert torch.equal(alone.painted("it").latents[0], crowded.painted("it").latents[0])
