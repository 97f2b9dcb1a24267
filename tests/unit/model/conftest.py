"""One small checkpoint for all tests of the model."""

from pathlib import Path

import pytest
import torch

from overpaint.core.config import ModelConfig
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from tests.reference.checkpoints import write_checkpoint

# Matrices this small gain nothing from a second thread, and lose a factor of twenty when the cores are busy.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), output_resolution=96, shards=True)


@pytest.fixture(scope="session")
def checkpoint(folder: Path) -> Checkpoint:
    return load_checkpoint(ModelConfig(str(folder), device="cpu", dtype="float32"))
