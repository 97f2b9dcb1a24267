"""Linears that adapters, quantisation or hooks have taken over are used as they are, not by their bare weights."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch import Tensor, nn

from overpaint.core.request import GenerationRequest
from overpaint.model.checkpoint import Checkpoint
from tests.parity.ours import paint_alone
from tests.reference.cases import RESOLUTION
from tests.reference.measures import max_abs
from tests.reference.pictures import make_picture
from tests.reference.pipeline import run_reference

TOLERANCE = 1e-3  # as for plain checkpoints, see test_pipeline_parity.py
VISIBLE = 0.05
_EDIT = GenerationRequest("make it green", pictures=(make_picture(90, 70, seed=6),), seed=11, steps=6)
_ALL_LINEARS = ["to_q", "to_k", "to_v", "to_out.0", "proj", "gate_layer", "out", "img_in", "proj_out", "in_layer"]


class ShiftingLinear(nn.Linear):
    """Stands for a quantised linear: what it computes is not its stored weight times the input."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).roll(1, dims=-1)


@pytest.fixture
def transformer(plain_checkpoint: Checkpoint) -> Any:
    return deepcopy(plain_checkpoint.transformer)


@pytest.fixture
def reference_of(plain_pipeline: Any) -> Iterator[Callable[[Any], Tensor]]:
    """What diffusers paints with another transformer in its pipeline."""
    original = plain_pipeline.transformer

    def paint(transformer: Any) -> Tensor:
        plain_pipeline.transformer = transformer
        return run_reference(plain_pipeline, _EDIT, output_resolution=RESOLUTION).latents[0]

    yield paint
    plain_pipeline.transformer = original


def _paint(checkpoint: Checkpoint, transformer: Any) -> Tensor:
    return paint_alone(replace(checkpoint, transformer=transformer), _EDIT).latents[0]


def _add_lora(transformer: Any, targets: list[str]) -> None:
    torch.manual_seed(3)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=targets, init_lora_weights=False)
    transformer.add_adapter(config, adapter_name="style")


@pytest.mark.parametrize("targets", [["to_q"], ["to_q", "to_k", "to_v"], _ALL_LINEARS], ids=["q", "qkv", "all"])
def test_lora_wrapped_linears_paint_what_the_pipeline_paints_with_them(
    plain_checkpoint: Checkpoint, transformer: Any, reference_of: Callable[[Any], Tensor], targets: list[str]
) -> None:
    _add_lora(transformer, targets)
    ours, theirs = _paint(plain_checkpoint, transformer), reference_of(transformer)
    assert max_abs(ours, theirs) <= TOLERANCE
    assert max_abs(ours, _paint(plain_checkpoint, plain_checkpoint.transformer)) > VISIBLE


def test_an_adapter_added_after_the_weights_were_fused_takes_effect(
    plain_checkpoint: Checkpoint, transformer: Any, reference_of: Callable[[Any], Tensor]
) -> None:
    before = _paint(plain_checkpoint, transformer)  # fuses
    _add_lora(transformer, ["to_q", "proj"])
    ours = _paint(plain_checkpoint, transformer)
    assert max_abs(ours, reference_of(transformer)) <= TOLERANCE
    assert max_abs(ours, before) > VISIBLE


def test_an_adapter_switched_off_leaves_the_base(plain_checkpoint: Checkpoint, transformer: Any) -> None:
    before = _paint(plain_checkpoint, transformer)
    _add_lora(transformer, _ALL_LINEARS)
    transformer.disable_adapters()
    assert max_abs(_paint(plain_checkpoint, transformer), before) <= TOLERANCE


@pytest.mark.parametrize("name", ["attn.to_q", "attn.to_v", "attn.to_out.0", "img_mlp.gate_layer", "img_mlp.out"])
def test_a_linear_of_another_class_computes_its_own_way(
    plain_checkpoint: Checkpoint, transformer: Any, reference_of: Callable[[Any], Tensor], name: str
) -> None:
    linear = transformer.transformer_blocks[1].get_submodule(name)
    linear.__class__ = ShiftingLinear
    ours = _paint(plain_checkpoint, transformer)
    assert max_abs(ours, reference_of(transformer)) <= TOLERANCE
    assert max_abs(ours, _paint(plain_checkpoint, plain_checkpoint.transformer)) > VISIBLE


def _hook_output(linear: nn.Linear) -> None:
    def double(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        return 2 * output

    linear.register_forward_hook(double)  # pyright: ignore[reportArgumentType]


def _hook_input(linear: nn.Linear) -> None:
    linear.register_forward_pre_hook(lambda _module, inputs: (2 * inputs[0],))


def _replace_forward(linear: nn.Linear) -> None:
    """What accelerate's and diffusers' offloading do to a module."""
    original = linear.forward
    linear.forward = lambda input: 2 * original(input)


@pytest.mark.parametrize("take_over", [_hook_output, _hook_input, _replace_forward])
def test_a_plain_linear_that_something_hooked_into_is_called_not_multiplied(
    plain_checkpoint: Checkpoint,
    transformer: Any,
    reference_of: Callable[[Any], Tensor],
    take_over: Callable[[nn.Linear], None],
) -> None:
    take_over(transformer.transformer_blocks[0].attn.to_v)
    ours = _paint(plain_checkpoint, transformer)
    assert max_abs(ours, reference_of(transformer)) <= TOLERANCE
    assert max_abs(ours, _paint(plain_checkpoint, plain_checkpoint.transformer)) > VISIBLE


def test_fusing_keeps_the_modules_as_holders_of_the_weights(
    plain_checkpoint: Checkpoint, transformer: Any, reference_of: Callable[[Any], Tensor]
) -> None:
    before = {name: tensor.clone() for name, tensor in transformer.state_dict().items()}
    ours = _paint(plain_checkpoint, transformer)
    assert all(torch.equal(tensor, before[name]) for name, tensor in transformer.state_dict().items())
    assert max_abs(ours, reference_of(transformer)) <= TOLERANCE


def test_weights_written_into_the_modules_after_fusing_are_used(
    plain_checkpoint: Checkpoint, transformer: Any, reference_of: Callable[[Any], Tensor]
) -> None:
    _paint(plain_checkpoint, transformer)  # fuses
    with torch.no_grad():
        transformer.transformer_blocks[0].attn.to_k.weight.mul_(-1)
    assert max_abs(_paint(plain_checkpoint, transformer), reference_of(transformer)) <= TOLERANCE
