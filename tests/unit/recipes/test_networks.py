"""The networks of the recipe: the closed form, the dense forward, and one step of training."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from recipes.mini.batches import Batches
from recipes.mini.model import MiniModel, Sizes, build_model
from recipes.mini.sampling import sigmas
from recipes.mini.scenes import Composer
from recipes.mini.settings import Settings
from recipes.mini.tasks import training_tasks
from recipes.mini.tokenizer import Prompts, special_ids, train_tokenizer
from recipes.mini.train import channel_weights, flow_loss
from recipes.mini.vae import PatchCode, build_vae, decode, fit_code, psnr

SMALL = Sizes(width=64, layers=2, heads=2, text_width=64, text_layers=2, text_heads=2, vision_width=48)


@pytest.fixture(scope="module")
def code() -> PatchCode:
    return fit_code(Composer(), pictures=150)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(prompts=500)


def small_model(tokenizer: Tokenizer) -> MiniModel:
    torch.manual_seed(0)
    model = build_model(SMALL, tokenizer.get_vocab_size(), special_ids(tokenizer))
    for parameter in model.transformer.parameters():
        if not parameter.abs().max():
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_closed_form_is_the_principal_component_code(code: PatchCode, dtype: torch.dtype) -> None:
    pictures = Composer().paint([t.target for t in itertools.islice(training_tasks(9), 16)])
    vae: Any = build_vae(code)
    vae = vae.to(dtype)
    with torch.no_grad():
        raw = vae.encode(pictures.to(dtype).unsqueeze(2)).latent_dist.mode()[:, :, 0]
        latents = raw.float().flatten(2).transpose(1, 2) / torch.tensor(vae.config.latents_std)
        decoded = decode(vae, code.encode(pictures), code.scale, 128)
    assert (latents - code.encode(pictures)).abs().max() < 0.06
    assert psnr(decoded[:, :3], pictures[:, :3]) > 27


@pytest.mark.parametrize("edit", [False, True])
def test_the_training_forward_is_what_inference_computes(tokenizer: Tokenizer, edit: bool) -> None:
    model, composer = small_model(tokenizer), Composer()
    prompts = Prompts(tokenizer, SMALL.slots)
    tasks = [t for t in itertools.islice(training_tasks(2), 60) if (t.source is not None) == edit]
    scenes = [t.source for t in tasks[:2] if t.source is not None]
    pictures = composer.paint(scenes) if edit else None
    ids = torch.tensor([prompts.encode(word, edit) for word in ("add a cat", "add a dog")])
    references = torch.randn(2, 64, 64) if edit else None
    noisy, sigma = torch.randn(2, 2, 64, 64), torch.tensor([[0.2, 0.7], [0.9, 0.4]])
    with torch.no_grad():
        ours = model(ids, prompts.drop, pictures, references, noisy, sigma)
        for target in range(2):
            theirs = reference_forward(model, prompts, ids, pictures, references, noisy[:, target], sigma[:, target])
            torch.testing.assert_close(ours[:, target], theirs, atol=1e-4, rtol=1e-4)


def reference_forward(
    model: MiniModel,
    prompts: Prompts,
    ids: torch.Tensor,
    pictures: torch.Tensor | None,
    references: torch.Tensor | None,
    noisy: torch.Tensor,
    sigma: torch.Tensor,
) -> torch.Tensor:
    """The forward passes of transformers and diffusers themselves, as the pipeline calls them."""
    from recipes.mini.model import vision_patches

    extra: dict[str, Any] = {}
    if pictures is not None:
        extra["pixel_values"] = vision_patches(pictures).flatten(0, 1)
        extra["image_grid_thw"] = torch.tensor([[1, 8, 8]] * len(pictures))
        extra["mm_token_type_ids"] = (ids == prompts.image_pad).int()
    norm = model.text_encoder.model.language_model.norm
    handle = norm.register_forward_hook(lambda _module, args, _output: args[0])
    found = model.text_encoder(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True, **extra)
    handle.remove()
    slots = (ids == prompts.image_pad)[:, prompts.drop :]
    tokens = noisy if references is None else torch.cat([references, noisy], dim=1)
    return model.transformer(
        hidden_states=tokens,
        timestep=sigma,
        encoder_hidden_states=found.hidden_states[-1][:, prompts.drop :],
        img_shapes=[[(1, 8, 8)] * (1 + (references is not None))] * len(ids),
        img_mask=torch.cat([slots, torch.ones(len(ids), 16, dtype=torch.bool)], dim=1),
        return_dict=False,
    )[0][:, -64:]


def test_patches_equal_the_image_processor() -> None:
    from PIL import Image
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from recipes.mini.export import preprocessor_config
    from recipes.mini.model import vision_patches
    from recipes.mini.scenes import to_uint8

    pictures = Composer().paint([t.target for t in itertools.islice(training_tasks(4), 2)])
    images = [Image.fromarray(p.permute(1, 2, 0).numpy()[..., :3]) for p in to_uint8(pictures)]
    config = preprocessor_config()
    kept = {k: config[k] for k in ("size", "patch_size", "temporal_patch_size", "merge_size")}
    found = Qwen2VLImageProcessorPil(**kept)(images=images, return_tensors="pt")
    torch.testing.assert_close(found["pixel_values"], vision_patches(pictures).flatten(0, 1))


def test_noise_levels_are_the_schedulers() -> None:
    import numpy as np
    from diffusers import FlowMatchEulerDiscreteScheduler

    from recipes.mini.export import scheduler_config

    config = scheduler_config()
    scheduler: Any = FlowMatchEulerDiscreteScheduler.from_config(config)
    slope = (config["max_shift"] - config["base_shift"]) / (4096 - 256)
    shift = config["base_shift"] + slope * (64 - 256)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / 20, 20), mu=shift)
    torch.testing.assert_close(torch.tensor(sigmas(20, 64, config)), scheduler.sigmas)


def test_a_training_step_lowers_the_loss(code: PatchCode, tokenizer: Tokenizer) -> None:
    model = small_model(tokenizer).train()
    prompts = Prompts(tokenizer, SMALL.slots)
    batch = next(iter(Batches(prompts, code, Composer(), size=8, seed=0)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses: list[float] = []
    for _ in range(8):
        torch.manual_seed(0)
        loss = flow_loss(model, batch, prompts.drop, Settings("test", noises=2), channel_weights(code))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_the_sheet_of_sprites_carries_its_licence() -> None:
    assets = Path("recipes/mini/assets")
    assert "Microsoft" in (assets / "LICENSE").read_text()
    assert "Fluent Emoji" in (assets / "NOTICE").read_text()
