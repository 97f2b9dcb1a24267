"""A Qwen-Image-2.x checkpoint, loaded: its modules, its schedule, and what it declares.

Loads any diffusers-layout folder through diffusers and transformers, so sharding and quantisation work as everywhere.
Knows no requests.
"""

import logging
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_qwenimage21 import AutoencoderKLQwenImage21
from diffusers.models.transformers.transformer_qwenimage21 import QwenImage21Transformer2DModel
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from overpaint.core import CheckpointError, ModelConfig, ModelInfo, SizeRules
from overpaint.model.adapter_file import linears_of
from overpaint.model.blocks import AS_THEY_ARE, BlockPlan
from overpaint.model.checkpoint_files import check_descriptions, locate, read_index, read_json, weighted
from overpaint.model.components import guarded, load_encoder, load_module, load_transformer
from overpaint.model.declared import INDEX, Declared
from overpaint.model.device import resolve_device, resolve_dtype
from overpaint.model.hosting import HostedModule
from overpaint.model.placement import RESIDENT, Placement
from overpaint.model.prompt import IMAGE_PAD
from overpaint.model.quantise import weight_quantiser
from overpaint.model.sampling import NoiseSchedule
from overpaint.model.vae import lay_out_for_processor
from overpaint.model.weight_files import check_weights

_log = logging.getLogger(__name__)
_DEFAULT_PROMPT_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything of a checkpoint that painting needs.

    Args:
        info: what is known of it, as plain values.
        transformer: on its device, in its dtype, in eval mode; likewise the next two. Blocks that `blocks` has plans
            for are still on the host.
        text_encoder: Qwen3-VL.
        vae: the RGBA autoencoder.
        tokenizer: of the encoder.
        image_processor: PIL flavour, of the encoder.
        schedule: from noise to picture.
        sample_sigmas: of a few-step checkpoint, else None.
        blocks: how the transformer's blocks are to be held.
    """

    info: ModelInfo
    transformer: QwenImage21Transformer2DModel
    text_encoder: Qwen3VLForConditionalGeneration
    vae: AutoencoderKLQwenImage21
    tokenizer: PreTrainedTokenizerBase
    image_processor: Qwen2VLImageProcessorPil
    schedule: NoiseSchedule
    sample_sigmas: tuple[float, ...] | None = None
    blocks: BlockPlan = AS_THEY_ARE


def load_checkpoint(config: ModelConfig, placement: Placement = RESIDENT) -> Checkpoint:
    """Load a checkpoint.

    Args:
        config: which one, and where to.
        placement: what of it lives on the host.

    Raises:
        CheckpointError: it is missing, damaged or of another kind; the error names the file.
        ConfigError: the device is not there.
    """
    name, folder = locate(config.source, config.transformer)
    declared = Declared.of(read_index(folder), folder / INDEX)
    check_descriptions(folder)
    schedule = _read_schedule(folder / "scheduler" / "scheduler_config.json")
    for component in weighted(config.transformer):
        check_weights(folder / component)
    device = resolve_device(config.device)
    dtype = resolve_dtype(config.dtype, device)
    blocks = BlockPlan(weight_quantiser(config.weights, device, dtype), placement.num_streamed)
    modules = {
        "transformer": load_transformer(folder / "transformer", config.transformer, dtype),
        "text_encoder": load_encoder(folder / "text_encoder", dtype),
        "vae": load_module(AutoencoderKLQwenImage21, folder / "vae", dtype),
    }
    tokenizer = guarded(folder / "processor", lambda: AutoTokenizer.from_pretrained(folder / "processor"))
    _check_tokenizer(tokenizer, folder / "processor")
    processor = guarded(folder / "processor", lambda: Qwen2VLImageProcessorPil.from_pretrained(folder / "processor"))
    _place(modules, device, placement, blocks)
    info = _describe(name, folder, declared, modules, tokenizer)
    _log.info("loaded %s from %s on %s in %s", info.name, info.path, info.device, info.dtype)
    return Checkpoint(
        info,
        modules["transformer"],
        modules["text_encoder"],
        modules["vae"],
        tokenizer,
        processor,
        schedule,
        declared.sample_sigmas,
        blocks,
    )


def _read_schedule(path: Path) -> NoiseSchedule:
    try:
        return NoiseSchedule.from_config(read_json(path))
    except ValueError as error:
        raise CheckpointError(path, str(error)) from error


def _place(modules: dict[str, Any], device: torch.device, placement: Placement, blocks: BlockPlan) -> None:
    """Bring everything to where it lives; blocks with plans go when those are carried out."""
    transformer, encoder, vae = modules["transformer"], modules["text_encoder"], modules["vae"]
    if device.type == "cpu":
        lay_out_for_processor(vae)  # before it may leave: of weights that are away there is nothing to lay out
        for module in (transformer, encoder, vae) if placement.is_offloaded else (transformer,):
            _leave_file(module)
    if blocks == AS_THEY_ARE:
        transformer.to(device)
    else:
        for name, child in transformer.named_children():
            if name != "transformer_blocks":
                child.to(device)
    if placement.is_offloaded:
        HostedModule(vae, device)
        HostedModule(encoder.model, device, [*encoder.model.visual.blocks, *encoder.model.language_model.layers])
        if not encoder.config.tie_word_embeddings:
            HostedModule(encoder.lm_head, device)
    else:
        encoder.to(device)
        vae.to(device)


def _check_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """See that it reads words and knows the picture's place: a tokenizer without its files loads, empty."""
    if not tokenizer.encode("a", add_special_tokens=False) or len(tokenizer.encode(IMAGE_PAD)) != 1:
        raise CheckpointError(folder, f"has a tokenizer that reads no words or has no {IMAGE_PAD}; is a file missing?")


def _leave_file(module: nn.Module) -> None:
    """Move weights out of the mapped file they are views of on a CPU.

    Fusing copies most of them; while one stays behind, the whole file would stay in memory beside the copies.
    """
    for parameter in module.parameters():
        parameter.data = parameter.data.clone()


def _describe(
    name: str,
    folder: Path,
    declared: Declared,
    modules: dict[str, Any],
    tokenizer: PreTrainedTokenizerBase,
) -> ModelInfo:
    transformer: QwenImage21Transformer2DModel = modules["transformer"]
    area = declared.output_resolution**2
    return ModelInfo(
        name=name,
        path=str(folder),
        device=str(transformer.device),
        dtype=str(transformer.dtype).removeprefix("torch."),
        sizes=SizeRules(default_area=area, native_area=declared.max_area),
        reference_area=area,
        default_steps=declared.default_steps,
        max_prompt_tokens=declared.max_prompt_tokens or min(tokenizer.model_max_length, _DEFAULT_PROMPT_TOKENS),
        num_parameters={key: sum(map(_num_values, module.parameters())) for key, module in modules.items()},
        linears=linears_of(transformer),
    )


def _num_values(weight: nn.Parameter) -> int:
    """Values that a weight stands for; diffusers' GGUF weights are bytes, and say their shape beside them."""
    return prod(getattr(weight, "quant_shape", weight.shape))
