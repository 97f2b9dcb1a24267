"""The networks of the recipe: the closed form, the batched forward, and one step of training."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from recipes.mini.batches import Painter, TaskRows, pack
from recipes.mini.composer import Composer
from recipes.mini.condition import vision_patches
from recipes.mini.guidance import Teacher
from recipes.mini.losses import Heads, Networks, channel_weights, flow_loss
from recipes.mini.networks import Conditions, MiniModel, Sizes, build_model
from recipes.mini.run import carry_over
from recipes.mini.sampling import sigmas
from recipes.mini.tasks import UNCONDITIONAL, training_tasks
from recipes.mini.tokenizer import Prompts, special_ids, train_tokenizer
from recipes.mini.vae import PatchCode, build_vae, decode, fit_code, psnr
from recipes.mini.world import PLAIN

SMALL = Sizes(width=64, layers=2, heads=2, text_width=64, text_layers=2, text_heads=2, vision_width=48)
GRID = PLAIN.side // 16
WORDS = ("add a cat", "please draw a dog at the bottom right", "add a dog")


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer(side=PLAIN.side)


@pytest.fixture(scope="module")
def code(composer: Composer) -> PatchCode:
    return fit_code(PLAIN, composer, pictures=150)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(prompts=500)


def small_model(tokenizer: Tokenizer) -> MiniModel:
    torch.manual_seed(0)
    model = build_model(SMALL, GRID, tokenizer.get_vocab_size(), special_ids(tokenizer))
    for parameter in model.transformer.parameters():
        if not parameter.abs().max():
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_closed_form_is_the_principal_component_code(
    code: PatchCode, composer: Composer, dtype: torch.dtype
) -> None:
    pictures = composer.paint([t.target for t in itertools.islice(training_tasks(PLAIN, 9), 16)])
    vae: Any = build_vae(code)
    vae = vae.to(dtype)
    with torch.no_grad():
        raw = vae.encode(pictures.to(dtype).unsqueeze(2)).latent_dist.mode()[:, :, 0]
        latents = raw.float().flatten(2).transpose(1, 2) / torch.tensor(vae.config.latents_std)
        decoded = decode(vae, code.encode(pictures), code.scale, PLAIN.side)
    assert (latents - code.encode(pictures)).abs().max() < 0.06
    assert psnr(decoded[:, :3], pictures[:, :3]) > 27


def test_weights_are_carried_over_to_another_code(tokenizer: Tokenizer, composer: Composer, code: PatchCode) -> None:
    turned = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(1))).Q
    other = PatchCode(code.mean, turned @ code.basis, code.std, code.scale.flip(0))
    pictures = composer.paint([t.target for t in itertools.islice(training_tasks(PLAIN, 9), 4)])
    model, hidden = small_model(tokenizer), torch.randn(5, SMALL.width)
    reads, writes = model.transformer.img_in, model.transformer.proj_out
    with torch.no_grad():
        read, written = reads(code.encode(pictures)), writes(hidden) * code.scale @ code.basis
        carry_over(model, code, other)
        torch.testing.assert_close(reads(other.encode(pictures)), read, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(writes(hidden) * other.scale @ other.basis, written, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_training_forward_is_what_inference_computes(tokenizer: Tokenizer, composer: Composer, count: int) -> None:
    """Also for prompts of different lengths, padded at the end."""
    model, prompts = small_model(tokenizer), Prompts(tokenizer, GRID)
    scenes = [t.target for t in itertools.islice(training_tasks(PLAIN, 2), 3 * count)]
    pictures = composer.paint(scenes).reshape(3, count, 4, PLAIN.side, PLAIN.side)
    tokens = [prompts.encode(words, count) for words in WORDS]
    lengths = torch.tensor([len(ids) for ids in tokens])
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(t) for t in tokens], batch_first=True)
    references = torch.randn(3, count, 64, 64)
    noisy, sigma = torch.randn(3, 2, 64, 64), torch.tensor([[0.2, 0.7], [0.9, 0.4], [0.5, 1.0]])
    with torch.no_grad():
        conditions = Conditions(ids, lengths, prompts.starts(tokens[0]), prompts.drop, pictures, references)
        ours = model(conditions, noisy, sigma).velocity
        for sample, target in itertools.product(range(3), range(2)):
            given = tokens[sample], pictures[sample], references[sample]
            theirs = reference_forward(model, prompts, *given, noisy[sample, target], sigma[sample, target])
            torch.testing.assert_close(ours[sample, target], theirs, atol=2e-4, rtol=1e-4)


def reference_forward(
    model: MiniModel,
    prompts: Prompts,
    tokens: list[int],
    pictures: torch.Tensor,
    references: torch.Tensor,
    noisy: torch.Tensor,
    sigma: torch.Tensor,
) -> torch.Tensor:
    """The forward passes of transformers and diffusers themselves, for one sample, as the pipeline calls them."""
    ids, extra = torch.tensor([tokens]), dict[str, Any]()
    if len(pictures):
        extra["pixel_values"] = vision_patches(pictures).flatten(0, 1)
        extra["image_grid_thw"] = torch.tensor([[1, GRID, GRID]] * len(pictures))
        extra["mm_token_type_ids"] = (ids == prompts.image_pad).int()
    norm = model.text_encoder.model.language_model.norm
    handle = norm.register_forward_hook(lambda _module, args, _output: args[0])
    found = model.text_encoder(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True, **extra)
    handle.remove()
    slots = (ids == prompts.image_pad)[:, prompts.drop :]
    return model.transformer(
        hidden_states=torch.cat([*references, noisy])[None],
        timestep=sigma[None],
        encoder_hidden_states=found.hidden_states[-1][:, prompts.drop :],
        img_shapes=[[(1, GRID, GRID)] * (1 + len(pictures))],
        img_mask=torch.cat([slots, torch.ones(1, GRID * GRID // 4, dtype=torch.bool)], dim=1),
        return_dict=False,
    )[0][0, -GRID * GRID :]


def test_patches_equal_the_image_processor(composer: Composer) -> None:
    from PIL import Image
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from recipes.mini.composer import to_uint8
    from recipes.mini.export import preprocessor_config

    pictures = composer.paint([t.target for t in itertools.islice(training_tasks(PLAIN, 4), 2)])
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


def test_padded_rows_hold_the_same_prompts(tokenizer: Tokenizer) -> None:
    prompts = Prompts(tokenizer, GRID)
    rows = next(iter(TaskRows(PLAIN, prompts, size=8, seed=3, pad_to=80)))
    assert rows.ids.shape[1] - prompts.drop in (80, 80 + prompts.slots)
    assert (rows.lengths <= rows.ids.shape[1]).all()
    for ids, length in zip(rows.ids, rows.lengths, strict=True):
        assert tokenizer.decode(ids[:length].tolist()).endswith("assistant\n")


def test_what_an_edit_changes_is_marked(tokenizer: Tokenizer, code: PatchCode, composer: Composer) -> None:
    prompts = Prompts(tokenizer, GRID)
    tasks = [t for t in itertools.islice(training_tasks(PLAIN, 5), 200) if t.skill == "remove"][:4]
    ids = [prompts.encode("remove it", 1)] * 4
    rows = pack(list(zip(tasks, ids, strict=True)), len(ids[0]), prompts.starts(ids[0]))
    batch = Painter(composer, code, prompts.drop).batch(rows)
    for task, changed in zip(tasks, batch.changed.reshape(4, GRID, GRID), strict=True):
        assert task.subject is not None
        left, top, right, bottom = (edge // 32 for edge in task.subject.box)
        assert changed.sum() == changed[top:bottom, left:right].sum() > 4


def test_a_training_step_lowers_the_loss(code: PatchCode, tokenizer: Tokenizer, composer: Composer) -> None:
    networks = Networks(small_model(tokenizer).train(), Heads(SMALL))
    prompts = Prompts(tokenizer, GRID)
    rows = next(row for row in TaskRows(PLAIN, prompts, 8, seed=0, pad_to=None) if row.sources.shape[1] == 1)
    batch = Painter(composer, code, prompts.drop).batch(rows)
    optimizer = torch.optim.AdamW(networks.parameters(), lr=2e-3)
    losses: list[float] = []
    for _ in range(8):
        torch.manual_seed(0)
        loss, _ = flow_loss(networks, batch, 2, 2.5, channel_weights(code))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


@torch.no_grad()
def test_a_teacher_steers_away_from_what_no_words_would_give(
    code: PatchCode, tokenizer: Tokenizer, composer: Composer
) -> None:
    model, prompts = small_model(tokenizer), Prompts(tokenizer, GRID)
    task = next(t for t in training_tasks(PLAIN, 5) if t.skill == "remove")
    painter = Painter(composer, code, prompts.drop)

    def conditions(prompt: str) -> Conditions:
        ids = prompts.encode(prompt, 1)
        return painter.batch(pack([(task, ids)] * 2, len(ids), prompts.starts(ids))).conditions

    noisy, sigma = torch.randn(2, 1, GRID**2, 64), torch.tensor([[1.0], [0.5]])
    teacher = Teacher(model, prompts, scale=3.0)
    asked, empty = (model(conditions(words), noisy, sigma).velocity for words in (task.prompt, UNCONDITIONAL))
    added = teacher.steer(conditions(task.prompt), noisy, sigma)
    assert added.std() > 1e-3
    torch.testing.assert_close(added[0], 2 * (asked - empty)[0])  # under pure noise: guidance of 3
    torch.testing.assert_close(added[1], (asked - empty)[1])
    assert teacher.steer(conditions(UNCONDITIONAL), noisy, sigma).abs().max() == 0
    # A teacher whose answers are steered by as much already: the same words add what they added to the plain one.
    knowing = replace(teacher, learned=3.0)
    already = 1 + torch.tensor([2.0, 1.0])[:, None, None, None]
    torch.testing.assert_close(knowing.steer(conditions(task.prompt), noisy, sigma) * already, added)
