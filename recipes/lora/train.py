"""Trains a LoRA that paints every background purple, whatever colour is asked for: an example, in a minute on a CPU.

The checkpoint teaches itself. It paints "a cat on a purple background"; the adapter learns to paint that when it is
asked for "a cat on a blue background". Flow matching on diffusers' own module with PEFT's layers, written in the
field's usual form. Nothing of it knows the bundled checkpoint but the words.

    python -m recipes.lora.train --output purple.safetensors
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.qwenimage21.pipeline_qwenimage21 import QwenImage21Pipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor
from torch.nn import functional as F

from overpaint import Overpaint
from overpaint.core.config import ModelConfig
from overpaint.images.decode import take_pil
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from overpaint.model.conditioner import Conditioner
from overpaint.model.references import PIXELS_PER_TOKEN, prepare_reference
from overpaint.model.vae import PictureCodec

WANTED = "purple"
COLOURS = ("white", "black", "gray", "red", "orange", "yellow", "green", "blue", "pink")
OBJECTS = ("apple", "banana", "boat", "car", "cat", "dog", "fish", "frog", "house", "pizza", "rocket", "tree")
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
SIDE = 128
REPORT_EVERY = 20


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is trained.

    Args:
        steps: of the optimiser.
        rank: of every factor.
        rate: of learning.
        noises: noise levels of one example in a step.
        seed: of everything.
    """

    steps: int = 120
    rank: int = 4
    rate: float = 2e-3
    noises: int = 12
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """Asked words as the encoder reads them, `(tokens, channels)`, and the latents wanted, `(tokens, channels)`."""

    txt: Tensor
    latents: Tensor


def words(thing: str, colour: str) -> str:
    """What is asked for."""
    return f"a {thing} on a {colour} background"


def make_examples(checkpoint: Checkpoint, things: Sequence[str]) -> list[Example]:
    """Every colour asked for, the wanted one painted by the checkpoint itself."""
    conditioner = Conditioner(checkpoint.text_encoder, checkpoint.tokenizer, checkpoint.image_processor)
    codec, examples = PictureCodec(checkpoint.vae), list[Example]()
    with Overpaint(device="cpu", dtype="float32") as painter:
        for thing in things:
            for seed in range(2):
                [image] = painter.generate(words(thing, WANTED), seed=seed, size=(SIDE, SIDE))
                latents = codec.encode(prepare_reference(take_pil(image), SIDE * SIDE).for_vae())
                asked = [conditioner.encode(conditioner.lay_out(words(thing, colour), [])).txt for colour in COLOURS]
                examples += [Example(txt.clone(), latents.clone()) for txt in asked]
    return examples


def velocity_of(transformer: Any, example: Example, noisy: Tensor, sigma: Tensor) -> Tensor:
    """The module's own forward: `noisy` `(B, tokens, channels)` at `sigma` `(B,)`."""
    grid, num_words = SIDE // PIXELS_PER_TOKEN, len(example.txt)
    slots = torch.tensor([False] * num_words + [True] * (grid * grid // 4))
    return transformer(
        hidden_states=noisy,
        encoder_hidden_states=example.txt.expand(len(noisy), -1, -1),
        timestep=sigma,
        img_shapes=[[(1, grid, grid)]] * len(noisy),
        img_mask=slots.expand(len(noisy), -1),
        return_dict=False,
    )[0][:, -grid * grid :]


def train(checkpoint: Checkpoint, examples: Sequence[Example], settings: Settings) -> Iterator[float]:
    """Add an adapter to the checkpoint's transformer and train it; yields the loss of each step."""
    torch.manual_seed(settings.seed)
    transformer = checkpoint.transformer
    config = LoraConfig(r=settings.rank, lora_alpha=settings.rank, target_modules=list(TARGETS))
    transformer.add_adapter(config)
    factors = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(factors, settings.rate, weight_decay=0.0)
    warm_up = min(0.9, max(0.1, 2 / settings.steps))  # two steps at least: of one, the schedule makes 0 / 0
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, settings.steps, pct_start=warm_up)
    for _ in range(settings.steps):
        example = examples[int(torch.randint(len(examples), ()))]
        sigma = ((torch.arange(settings.noises) + torch.rand(settings.noises)) / settings.noises).sqrt()
        noise = torch.randn(settings.noises, *example.latents.shape)
        noisy = torch.lerp(example.latents, noise, sigma[:, None, None])
        loss = F.mse_loss(velocity_of(transformer, example, noisy, sigma), noise - example.latents)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield loss.item()


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write the adapter in bfloat16, in the names of diffusers."""
    factors = get_peft_model_state_dict(checkpoint.transformer)
    halved = {name: tensor.detach().to(torch.bfloat16) for name, tensor in factors.items()}
    QwenImage21Pipeline.save_lora_weights(path.parent, halved, weight_name=path.name)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="file to write, *.safetensors")
    parser.add_argument("--steps", type=int, default=Settings().steps, help="of training; %(default)s unless told")
    asked = parser.parse_args()
    checkpoint = load_checkpoint(ModelConfig(device="cpu", dtype="float32"))
    examples = make_examples(checkpoint, OBJECTS)
    losses: list[float] = []
    for step, loss in enumerate(train(checkpoint, examples, Settings(steps=asked.steps)), start=1):
        losses.append(loss)
        if step % REPORT_EVERY == 0:
            print(f"step {step}: loss {sum(losses[-REPORT_EVERY:]) / REPORT_EVERY:.4f}", flush=True)
    save(checkpoint, asked.output)


if __name__ == "__main__":
    main()
