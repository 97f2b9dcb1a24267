"""A small checkpoint for engines that really paint."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.engine.local import LocalEngine
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from tests.reference.checkpoints import write_checkpoint

# Matrices this small gain nothing from a second thread, and lose a factor of twenty when the cores are busy.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder: Path = write_checkpoint(tmp_path_factory.mktemp("checkpoint"), vae="patch", output_resolution=64)
    return load_checkpoint(ModelConfig(str(folder), device="cpu", dtype="float32"))


@pytest.fixture
def engine(checkpoint: Checkpoint) -> Iterator[LocalEngine]:
    it = LocalEngine(checkpoint, EngineConfig(max_running=4, tick_tokens=10_000))
    yield it
    it.close()
