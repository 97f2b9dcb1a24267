"""The painter and the threads it works on."""

import threading

import pytest
import torch

from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.engine import opening
from overpaint.engine import painter as painter_module
from overpaint.engine.local import LocalEngine
from overpaint.model.checkpoint import Checkpoint


def test_every_thread_that_computes_means_the_painters_device(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, torch.device] = {}
    monkeypatch.setattr(
        painter_module, "use_device", lambda device: told.setdefault(threading.current_thread().name, device)
    )
    LocalEngine(checkpoint, EngineConfig(tick_tokens=10_000)).close()
    assert told == dict.fromkeys(("overpaint-passing", "overpaint-engine"), checkpoint.transformer.device)


def test_a_checkpoint_is_loaded_by_a_thread_that_means_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("use_device", "_placement", "load_checkpoint"):
        monkeypatch.setattr(opening, name, lambda *args, name=name: told.append((name, args[0])))
    model = ModelConfig(device="cuda:1")
    opening.open_checkpoint(model, EngineConfig())
    assert told == [("use_device", torch.device("cuda:1")), ("_placement", model), ("load_checkpoint", model)]
