"""The example of training a LoRA: what it writes is small, fits, and was learned."""

from pathlib import Path

import pytest
import torch

from overpaint.core.config import ModelConfig
from overpaint.model.adapter_file import load_adapter
from overpaint.model.checkpoint import load_checkpoint
from recipes.lora.train import Example, Settings, save, train
from tests.reference.checkpoints import LATENT_CHANNELS, TEXT_WIDTH, write_checkpoint

SHIPPED = Path(__file__).parents[3] / "recipes" / "lora" / "purple.safetensors"


@pytest.mark.filterwarnings("ignore")
def test_it_learns_and_writes_what_the_engine_reads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = write_checkpoint(tmp_path / "checkpoint", vae="patch")
    checkpoint = load_checkpoint(ModelConfig(str(folder), device="cpu", dtype="float32"))
    linears = dict(checkpoint.info.linears)
    example = Example(torch.randn(5, TEXT_WIDTH), torch.randn(64, LATENT_CHANNELS))
    losses = list(train(checkpoint, [example], Settings(steps=60, noises=8, rate=1e-2)))
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])
    save(checkpoint, tmp_path / "it.safetensors")
    adapter = load_adapter(tmp_path / "it.safetensors", linears, torch.float32)
    assert len(adapter.changes) == 3 * 4
    assert all(change.up.abs().max() > 0 for change in adapter.changes.values())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_a_short_try_is_as_long_as_was_asked(steps: int, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", vae="patch")
    checkpoint = load_checkpoint(ModelConfig(str(folder), device="cpu", dtype="float32"))
    example = Example(torch.randn(5, TEXT_WIDTH), torch.randn(64, LATENT_CHANNELS))
    assert len(list(train(checkpoint, [example], Settings(steps=steps, noises=1)))) == steps


def test_the_shipped_one_fits_the_bundled_checkpoint_and_is_small() -> None:
    linears = load_checkpoint(ModelConfig(device="cpu")).info.linears
    assert len(load_adapter(SHIPPED, linears, torch.bfloat16).changes) == 6 * 4
    assert SHIPPED.stat().st_size < 200_000
