"""A checkpoint brought to its device: found, placed by what its files say, and loaded."""

import torch

from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.engine.placing import Device, Placer
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from overpaint.model.checkpoint_files import check_descriptions, locate, read_index
from overpaint.model.device import free_bytes, resolve_device, resolve_dtype, use_device
from overpaint.model.footprint import Footprint
from overpaint.model.placement import RESIDENT, Placement


def open_checkpoint(model: ModelConfig, config: EngineConfig) -> Checkpoint:
    """Load a checkpoint, with as much of it on the device as leaves room for work.

    Raises:
        ConfigError: the checkpoint or the device cannot be used, or the weights do not fit.
    """
    use_device(resolve_device(model.device))
    return load_checkpoint(model, _placement(model, config))


def device_of(device: torch.device) -> Device:
    """What a device has to give now; weights can live beside it when its memory is not the host's."""
    return Device(free_bytes(device), has_host=device.type == "cuda")


def _placement(model: ModelConfig, config: EngineConfig) -> Placement:
    torch_device = resolve_device(model.device)
    device = device_of(torch_device)
    if not device.has_host and model.memory != "offload":
        return RESIDENT
    _, folder = locate(model.source, model.transformer)
    read_index(folder)
    check_descriptions(folder)
    footprint = Footprint.of_folder(folder, model.transformer)
    itemsize = resolve_dtype(model.dtype, torch_device).itemsize
    return Placer(footprint, model.weights, itemsize, device, config).place(model.memory).placement
