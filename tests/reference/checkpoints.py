"""Complete Qwen-Image-2.1 checkpoints in the diffusers layout, a few megabytes large, with lively random weights.

Sizes are chosen to catch assumptions: heads times head size is not the text encoder's width, latents have 16 channels
instead of 64, both VAE shapes (a hierarchy of convolutions, one patch) exist.
"""

import json
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from tests.reference.library import (
    AutoencoderKLQwenImage21,
    FlowMatchEulerDiscreteScheduler,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    QwenImage21Transformer2DModel,
)
from tests.reference.tokenizer import build_tokenizer
from tests.reference.weights import enliven, rescale_to

VaeShape = Literal["conv", "patch"]

LATENT_CHANNELS = 16
TEXT_WIDTH = 80
_SHARD_SIZE = "150KB"
_VAE_SHAPES: dict[VaeShape, dict[str, Any]] = {
    "conv": {
        "base_dim": 8,
        "decoder_base_dim": 12,
        "dim_mult": [1, 2, 2, 4, 4],
        "num_res_blocks": 1,
        "temperal_downsample": [False, True, True, True],
    },
    "patch": {
        "base_dim": 48,
        "decoder_base_dim": 64,
        "dim_mult": [1],
        "num_res_blocks": 1,
        "temperal_downsample": [],
        "patch_size": 16,
        "in_channels": 4 * 16 * 16,
        "out_channels": 4 * 16 * 16,
    },
}
_SCHEDULER = {
    "base_image_seq_len": 256,
    "base_shift": 0.5,
    "max_image_seq_len": 8192,
    "max_shift": 0.9,
    "num_train_timesteps": 1000,
    "shift": 1.0,
    "shift_terminal": 0.02,
    "time_shift_type": "exponential",
    "use_dynamic_shifting": True,
}
_PREPROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessorFast",
    "processor_class": "Qwen3VLProcessor",
    "size": {"shortest_edge": 32 * 32, "longest_edge": 4096 * 4096},
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
_COMPONENTS = {
    "processor": ["transformers", "Qwen3VLProcessor"],
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3VLForConditionalGeneration"],
    "transformer": ["diffusers", "QwenImage21Transformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLQwenImage21"],
}


def write_checkpoint(
    folder: Path,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    vae: VaeShape = "conv",
    sample_sigmas: list[float] | None = None,
    output_resolution: int | None = None,
    shards: bool = False,
) -> Path:
    """Write a checkpoint that both diffusers and Overpaint load.

    Args:
        folder: where to; created.
        seed: of all weights.
        dtype: the weights are stored in it.
        vae: which of the two shapes the VAE has.
        sample_sigmas: the fixed schedule of a few-step checkpoint.
        output_resolution: side of the area that the checkpoint declares for references and results.
        shards: split the transformer and the text encoder over several files with an index.
    """
    generator = torch.Generator().manual_seed(seed)
    tokenizer = build_tokenizer()
    shard_size = {"max_shard_size": _SHARD_SIZE} if shards else {}
    _transformer(generator).to(dtype).save_pretrained(folder / "transformer", **shard_size)
    _text_encoder(tokenizer, generator).to(dtype).save_pretrained(folder / "text_encoder", **shard_size)
    _vae(vae, generator).to(dtype).save_pretrained(folder / "vae")
    FlowMatchEulerDiscreteScheduler(**_SCHEDULER).save_pretrained(folder / "scheduler")
    tokenizer.save_pretrained(folder / "processor")
    _write_json(folder / "processor" / "preprocessor_config.json", _PREPROCESSOR)
    _write_json(folder / "model_index.json", _model_index(sample_sigmas, output_resolution))
    return folder


def _model_index(sample_sigmas: list[float] | None, output_resolution: int | None) -> dict[str, Any]:
    index: dict[str, Any] = {"_class_name": "QwenImage21Pipeline", "_diffusers_version": "0.42.1", **_COMPONENTS}
    if sample_sigmas is not None:
        index["sample_sigmas"] = sample_sigmas
    if output_resolution is not None:
        index["output_resolution"] = output_resolution
    return index


@torch.no_grad()
def _transformer(generator: torch.Generator) -> Any:
    model = QwenImage21Transformer2DModel(
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_layers=3,
        attention_head_dim=32,
        num_attention_heads=3,
        context_in_dim=TEXT_WIDTH,
        axes_dims_rope=(8, 12, 12),
    )
    enliven(model, generator)
    # Stored zero-centred: enliven's spread around one would double the scale, which a forgotten "+ 1" survives.
    model.txt_in.text_norm.weight.copy_(0.5 * torch.randn(TEXT_WIDTH, generator=generator))
    _open_gates(model)
    width, tokens = model.config.num_attention_heads * model.config.attention_head_dim, 256
    normed = torch.randn(tokens, width, generator=generator)
    rescale_to([model.proj_out.weight], model.proj_out(normed), std=1.0)
    return model


def _open_gates(model: Any) -> None:
    """Scale the modulations so that scales and tanh-gates are of order one, and differ between time steps."""
    times = torch.linspace(0, 1, 17)
    embedded = model.time_text_embed(times, model.img_in.weight)
    rescale_to([model.modulation[1].weight], model.modulation(embedded), std=0.8)
    scale = model.norm_out.linear(nn.functional.silu(embedded))
    rescale_to([model.norm_out.linear.weight], scale, std=0.5)


@torch.no_grad()
def _text_encoder(tokenizer: Any, generator: torch.Generator) -> Any:
    model = Qwen3VLForConditionalGeneration(_text_encoder_config(tokenizer))
    enliven(model, generator)
    # Far from one and of both signs, so that the hidden state before the norm is nothing like the one after it.
    norm = model.model.language_model.norm.weight
    norm.copy_(3 * torch.randn(norm.shape, generator=generator))
    return model


def _text_encoder_config(tokenizer: Any) -> Any:
    token = tokenizer.convert_tokens_to_ids
    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": TEXT_WIDTH,
            "intermediate_size": 160,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000.0,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_heads": 2,
            "patch_size": 16,
            "out_hidden_size": TEXT_WIDTH,
            "num_position_embeddings": 49,
            "deepstack_visual_indexes": [0, 1],
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )


@torch.no_grad()
def _vae(shape: VaeShape, generator: torch.Generator) -> Any:
    mean = torch.randn(LATENT_CHANNELS, generator=generator)
    std = 0.5 + 2 * torch.rand(LATENT_CHANNELS, generator=generator)
    model = AutoencoderKLQwenImage21(
        z_dim=LATENT_CHANNELS, latents_mean=mean.tolist(), latents_std=std.tolist(), **_VAE_SHAPES[shape]
    )
    enliven(model, generator)
    _fit_latents(model, mean, std, generator)
    _fit_pixels(model, mean, std, generator)
    return model


def _fit_latents(model: Any, mean: torch.Tensor, std: torch.Tensor, generator: torch.Generator) -> None:
    """Give the encoder's latents about the statistics that the config declares."""
    picture = 2 * torch.rand(1, 4, 1, 64, 64, generator=generator) - 1
    latents = model.encode(picture).latent_dist.mode()
    rescale_to([model.quant_conv.weight, model.quant_conv.bias], latents, std=float(std.mean()))
    model.quant_conv.bias[:LATENT_CHANNELS] += mean


def _fit_pixels(model: Any, mean: torch.Tensor, std: torch.Tensor, generator: torch.Generator) -> None:
    """Keep the decoder's pixels inside (-1, 1), where the final clamp hides nothing."""
    noise = torch.randn(1, LATENT_CHANNELS, 1, 4, 4, generator=generator)
    z = noise * std.view(1, -1, 1, 1, 1) + mean.view(1, -1, 1, 1, 1)
    last = model.decoder.conv_out
    raw: list[torch.Tensor] = []
    handle = last.register_forward_hook(lambda _module, _inputs, output: raw.append(output))
    model.decode(z)
    handle.remove()
    rescale_to([last.weight, last.bias], raw[0], std=0.4)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
