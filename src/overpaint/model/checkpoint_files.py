"""A checkpoint as files: where it is, whether it is whole, what it declares.

Looks only at JSON and at safetensors headers, so a half-downloaded checkpoint is found before gigabytes are read.
Knows nothing of torch modules.
"""

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from overpaint.core import CheckpointError
from overpaint.lora.header import Header, read_header
from overpaint.model.declared import INDEX
from overpaint.model.hub import fetch, find_here

BUNDLED = "overpaint-mini"
PIPELINE_CLASS = "QwenImage21Pipeline"
COMPONENTS = ("scheduler", "transformer", "text_encoder", "vae", "processor")
WEIGHTED = ("transformer", "text_encoder", "vae")
_DESCRIPTIONS = {
    "transformer": "config.json",
    "text_encoder": "config.json",
    "vae": "config.json",
    "scheduler": "scheduler_config.json",
    "processor": "preprocessor_config.json",
}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_DOWNLOAD_AGAIN = "; download the checkpoint again"


def weighted(transformer: Path | None) -> tuple[str, ...]:
    """Components whose weights are the checkpoint's own.

    Args:
        transformer: file that has the transformer's instead.
    """
    return tuple(name for name in WEIGHTED if transformer is None or name != "transformer")


def locate(source: str | None, transformer: Path | None = None) -> tuple[str, Path]:
    """Name and folder of a checkpoint, fetching it from the hub when it is a hub id that is not a folder.

    Args:
        source: folder, hub id, or None for the bundled checkpoint.
        transformer: file that has the transformer's weights, which are not fetched then.

    Raises:
        CheckpointError: there is no such folder, or the hub has no such checkpoint for us.
    """
    if source is None:
        return BUNDLED, Path(str(resources.files("overpaint.bundled") / BUNDLED))
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder.resolve().name, folder
    if folder.exists():
        raise CheckpointError(source, "is a file; give the folder that holds model_index.json")
    if not is_hub_id(source):
        raise CheckpointError(source, "is not a folder; give a folder or a hub id such as Qwen/Qwen-Image-2.1")
    return source, fetch(source, _patterns(transformer))


def find(source: str | None, transformer: Path | None = None) -> Path | None:
    """The folder of a checkpoint that is on this machine; None for a hub id that would have to be fetched.

    Raises:
        CheckpointError: it is neither a folder nor a hub id.
    """
    if source is None or not is_hub_id(source):
        return locate(source, transformer)[1]
    return find_here(source, _patterns(transformer))


def is_hub_id(source: str) -> bool:
    """Whether a source names a repository on the hub, and nothing here."""
    here = Path(source).expanduser().exists()
    return not here and _HUB_ID.fullmatch(source) is not None and not source.startswith(".")


def _patterns(transformer: Path | None) -> list[str]:
    """What of a repository is fetched."""
    without = set(WEIGHTED) - set(weighted(transformer))
    return [INDEX, *(f"{name}/*.json" if name in without else f"{name}/*" for name in COMPONENTS)]


def read_index(folder: Path) -> dict[str, Any]:
    """The checkpoint's `model_index.json`.

    Raises:
        CheckpointError: it is missing, broken, or of another pipeline.
    """
    path = folder / INDEX
    index = read_json(path)
    found = index.get("_class_name")
    if found != PIPELINE_CLASS:
        raise CheckpointError(path, f"describes a {found}; Overpaint runs {PIPELINE_CLASS} checkpoints")
    for component in COMPONENTS:
        if not (folder / component).is_dir():
            raise CheckpointError(folder / component, f"is missing{_DOWNLOAD_AGAIN}")
    return index


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        CheckpointError: missing, unreadable, or not an object.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(path, f"is missing{_DOWNLOAD_AGAIN}") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(path, f"cannot be read: {_first_line(error)}") from error
    if not isinstance(value, dict):
        raise CheckpointError(path, "must hold a JSON object")
    return value


def check_descriptions(folder: Path) -> None:
    """See that every component describes itself, and that they fit each other.

    A library that misses a config builds its largest model instead of failing, so this comes before any of them.

    Raises:
        CheckpointError: naming the first file that is missing, broken or does not fit.
    """
    configs = {component: read_json(folder / component / name) for component, name in _DESCRIPTIONS.items()}
    transformer, encoder, vae = (configs[name] for name in WEIGHTED)
    if transformer.get("causal_condition") is False:
        raise _misfit(folder, "transformer", "has causal_condition false; Overpaint runs checkpoints where it is true")
    for name in ("text_config", "vision_config"):
        if not isinstance(encoder.get(name), dict):
            raise _misfit(folder, "text_encoder", f"has no {name}")
    latents, channels = transformer.get("in_channels"), vae.get("z_dim")
    if None not in (latents, channels) and latents != channels:
        raise _misfit(folder, "vae", f"has {channels} latent channels where the transformer paints {latents}")
    for name in ("latents_mean", "latents_std"):
        values = vae.get(name)
        if name in vae and not (isinstance(values, list) and len(values) == channels):
            raise _misfit(folder, "vae", f"has {name} that is no list of one number for each of {channels} channels")


def _misfit(folder: Path, component: str, problem: str) -> CheckpointError:
    return CheckpointError(folder / component / _DESCRIPTIONS[component], problem)


def check_weights(folder: Path) -> None:
    """See that every weight file of a component is there and as long as its header says.

    Raises:
        CheckpointError: naming the first file that is not.
    """
    for path in _weight_files(folder):
        _header_of(path)


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of a component's tensors by name, from the headers of its weight files.

    Raises:
        CheckpointError: a file is missing or cut off.
    """
    return {name: shape for path in _weight_files(folder) for name, shape in _header_of(path).shapes.items()}


def _weight_files(folder: Path) -> list[Path]:
    for index_path in _shown(folder, "*.safetensors.index.json"):
        weight_map: Any = read_json(index_path).get("weight_map")
        names: list[Any] = list(weight_map.values()) if isinstance(weight_map, dict) else []
        if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise CheckpointError(index_path, f"has no weight_map from tensors to files beside it{_DOWNLOAD_AGAIN}")
        return [folder / name for name in sorted(set(names))]
    files = _shown(folder, "*.safetensors")
    if not files:
        raise CheckpointError(folder, f"holds no .safetensors file{_DOWNLOAD_AGAIN}")
    return files


def _shown(folder: Path, pattern: str) -> list[Path]:
    """Files by name, without hidden ones: macOS leaves a `._name` beside every file that it copies to other disks."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _header_of(path: Path) -> Header:
    try:
        return read_header(path)
    except FileNotFoundError as error:
        raise CheckpointError(path, f"is missing{_DOWNLOAD_AGAIN}") from error
    except OSError as error:
        raise CheckpointError(path, f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise CheckpointError(path, f"{error}{_DOWNLOAD_AGAIN}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
