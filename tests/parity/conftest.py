"""Checkpoints and reference pipelines, made once per session: they take longer than a case does."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from overpaint.core.config import ModelConfig
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from tests.reference.cases import RESOLUTION, TURBO_SIGMAS, Case
from tests.reference.checkpoints import write_checkpoint
from tests.reference.pipeline import Reference, reference_pipeline, run_reference

# Matrices this small gain nothing from a second thread, and lose a factor of twenty when the cores are busy.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("plain"), output_resolution=RESOLUTION)


@pytest.fixture(scope="session")
def turbo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("turbo")
    return write_checkpoint(folder, seed=5, vae="patch", sample_sigmas=TURBO_SIGMAS, output_resolution=RESOLUTION)


@pytest.fixture(scope="session")
def plain_pipeline(plain_folder: Path) -> Any:
    return reference_pipeline(plain_folder)


@pytest.fixture(scope="session")
def turbo_pipeline(turbo_folder: Path) -> Any:
    return reference_pipeline(turbo_folder)


@pytest.fixture(scope="session")
def paint_reference(plain_pipeline: Any, turbo_pipeline: Any) -> Callable[[Case], Reference]:
    """What diffusers paints for a case; computed once per case."""

    @cache
    def paint(case: Case) -> Reference:
        pipe = turbo_pipeline if case.is_turbo else plain_pipeline
        return run_reference(pipe, case.request, output_resolution=RESOLUTION)

    return paint


@pytest.fixture(scope="session")
def plain_checkpoint(plain_folder: Path) -> Checkpoint:
    return load_checkpoint(ModelConfig(str(plain_folder), device="cpu", dtype="float32"))


@pytest.fixture(scope="session")
def turbo_checkpoint(turbo_folder: Path) -> Checkpoint:
    return load_checkpoint(ModelConfig(str(turbo_folder), device="cpu", dtype="float32"))
