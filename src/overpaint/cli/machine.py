"""Facts about this machine, what is installed on it, and a checkpoint's size, for `overpaint doctor`. Loads no weight.

Imports torch, so it is imported only when the doctor is called.
"""

import logging
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import psutil
import torch
from packaging.requirements import Requirement

from overpaint.core.config import WEIGHTS, EngineConfig, ModelConfig
from overpaint.core.errors import CheckpointError, SettingError
from overpaint.engine.opening import device_of
from overpaint.engine.placing import Device, Placer
from overpaint.model.checkpoint_files import check_descriptions, find, is_hub_id, read_index, weighted
from overpaint.model.device import resolve_device, resolve_dtype
from overpaint.model.footprint import DESCRIPTIONS, Footprint
from overpaint.model.hub import list_repository
from overpaint.model.quantise import weight_quantiser

GIB = 1024**3
_log = logging.getLogger(__name__)
_LOW_MEMORY = 2 * GIB


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the report.

    Args:
        name: what it is about.
        text: what is the case.
        problem: what is wrong and what to do, as one sentence; None when all is well.
    """

    name: str
    text: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """A checkpoint looked at from outside.

    Args:
        footprint: what it takes.
        is_here: nothing has to be fetched.
        num_bytes: what fetching it takes.
    """

    footprint: Footprint
    is_here: bool
    num_bytes: int = 0


def survey(model: ModelConfig) -> Survey:
    """Look at a checkpoint's headers, here or on the hub; no weight is read or fetched.

    What of a repository is here need not be all of it: a look at its descriptions leaves those.

    Raises:
        CheckpointError: it is missing, damaged or of another kind.
    """
    folder = find(model.source, model.transformer)
    if model.source is None or not is_hub_id(model.source):
        assert folder is not None
        return _survey_here(folder, model)
    try:
        if folder is not None:
            return _survey_here(folder, model)
    except CheckpointError as incomplete:
        _log.info("%s; the hub is asked", incomplete)
    listing = list_repository(model.source, DESCRIPTIONS, weighted(model.transformer))
    return Survey(Footprint.of_listing(listing, model.transformer), is_here=False, num_bytes=listing.num_bytes)


def _survey_here(folder: Path, model: ModelConfig) -> Survey:
    read_index(folder)
    check_descriptions(folder)
    return Survey(Footprint.of_folder(folder, model.transformer), is_here=True)


def unusable_weights(model: ModelConfig) -> dict[str, str]:
    """The kinds of weights that this machine's device cannot hold, each with why; the same is asked before loading.

    Raises:
        ConfigError: the device is not there.
    """
    device = resolve_device(model.device)
    dtype = resolve_dtype(model.dtype, device)
    return {weights: why for weights in WEIGHTS if (why := _why_not(weights, device, dtype))}


def _why_not(weights: str, device: torch.device, dtype: torch.dtype) -> str | None:
    try:
        weight_quantiser(weights, device, dtype)
    except SettingError as error:
        return f"--weights {error.problem}"
    return None


def placer_of(model: ModelConfig, scheduling: EngineConfig, footprint: Footprint, card_gib: float | None) -> Placer:
    """What places a checkpoint on this machine's device, or on a CUDA card of so many GiB.

    Raises:
        ConfigError: the device is not there.
    """
    device = resolve_device("cpu" if card_gib else model.device)
    itemsize = resolve_dtype("bfloat16" if card_gib and model.dtype == "auto" else model.dtype, device).itemsize
    has = Device(int(card_gib * GIB), has_host=True) if card_gib else device_of(device)
    return Placer(footprint, model.weights, itemsize, has, scheduling)


def machine_facts() -> list[Fact]:
    """Processor, memory, accelerator."""
    return [_python(), _processor(), _memory(), _accelerator()]


def library_facts() -> list[Fact]:
    """The libraries that Overpaint stands on, each against the versions it was made for."""
    wanted = [Requirement(text) for text in requires("overpaint") or [] if "extra ==" not in text]
    return [_library(requirement) for requirement in wanted]


def _python() -> Fact:
    return Fact("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _processor() -> Fact:
    features = torch.backends.cpu.get_cpu_capability()
    return Fact("processor", f"{psutil.cpu_count()} cores, {torch.get_num_threads()} used, {features}")


def _memory() -> Fact:
    memory = psutil.virtual_memory()
    text = f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f} GiB"
    low = "Less than 2 GiB of memory are free; close something before painting."
    return Fact("memory", text, low if memory.available < _LOW_MEMORY else None)


def _accelerator() -> Fact:
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return Fact(
            "accelerator", f"{torch.cuda.get_device_name()}, {free / GIB:.1f} GiB free of {total / GIB:.1f} GiB"
        )
    if torch.backends.mps.is_available():
        return Fact("accelerator", "Apple GPU (mps)")
    if shutil.which("nvidia-smi"):
        problem = "There is an NVIDIA driver, but this torch cannot use it; install a CUDA build of torch."
        return Fact("accelerator", "none that torch can use", problem)
    return Fact("accelerator", "none; the processor does the work")


def _library(requirement: Requirement) -> Fact:
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return Fact(requirement.name, "missing", f"{requirement.name} is not installed; install {requirement}.")
    if requirement.specifier.contains(installed, prereleases=True):
        return Fact(requirement.name, installed)
    problem = f"{requirement.name} {installed} is not a version Overpaint was made for; install {requirement}."
    return Fact(requirement.name, installed, problem)
