"""A checkpoint as files: where it is, which components it has, what they declare.

Looks only at JSON, so a half-downloaded checkpoint is found before gigabytes are read. Knows nothing of weights and of
torch modules.
"""

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from overpaint.core import CheckpointError
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
}
_OF_PICTURES = ("processor_config.json", "preprocessor_config.json")
"""What a processor says of pictures: transformers 5 saves the first, which has the second in it; earlier ones that."""
_CACHED = "models--"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
DOWNLOAD_AGAIN = "; download the checkpoint again"


_OF_WORDS = ("tokenizer.json", "vocab.json")


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
    folder = _path_of(source)
    if folder.is_dir():
        return _name_of(folder.resolve()), folder
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
    return not _path_of(source).exists() and _HUB_ID.fullmatch(source) is not None and not source.startswith(".")


def _path_of(source: str) -> Path:
    """A source as a path that can be asked about.

    Raises:
        CheckpointError: it cannot be one, or is in a folder that we may not look into.
    """
    try:
        path = Path(source).expanduser()
        path.exists()
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CheckpointError(source, f"cannot be looked at: {str(reason).rstrip('.').lower()}") from error
    return path


def _name_of(folder: Path) -> str:
    """What a checkpoint is called: a snapshot in the hub's cache by its hub id, any other by its folder."""
    of_hub, parent = folder.parent.parent.name, folder.parent.name
    if parent == "snapshots" and of_hub.startswith(_CACHED):
        return of_hub.removeprefix(_CACHED).replace("--", "/")
    return folder.name


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
    if not _is_there(path) and (meant := _meant(folder)):
        raise CheckpointError(folder, f"has no {INDEX}; give {meant}, which has one")
    index = read_json(path)
    found = index.get("_class_name")
    if found != PIPELINE_CLASS:
        raise CheckpointError(path, f"describes a {found}; Overpaint runs {PIPELINE_CLASS} checkpoints")
    for component in COMPONENTS:
        if not (folder / component).is_dir():
            raise CheckpointError(folder / component, f"is missing{DOWNLOAD_AGAIN}")
    return index


def _meant(folder: Path) -> Path | None:
    """The checkpoint near a folder that is none: around it, right in it, or in the hub's cache of it."""
    inside = [path.parent for pattern in (f"*/{INDEX}", f"snapshots/*/{INDEX}") for path in folder.glob(pattern)]
    around = [folder.parent] if _is_there(folder.parent / INDEX) else []
    return next(iter(around + inside), None)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        CheckpointError: missing, unreadable, or not an object.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(path, f"is missing{DOWNLOAD_AGAIN}") from error
    except OSError as error:
        raise CheckpointError(path, f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise CheckpointError(path, f"is not JSON ({_first_line(error)}){DOWNLOAD_AGAIN}") from error
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
    _check_processor(folder / "processor")
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


def _check_processor(folder: Path) -> None:
    """See that it says how pictures are read and has words, which its library tells of at length or not at all."""
    found = [folder / name for name in _OF_PICTURES if _is_there(folder / name)]
    for path in found or [folder / _OF_PICTURES[-1]]:
        read_json(path)
    if not any(_is_there(folder / name) for name in _OF_WORDS):
        raise CheckpointError(folder / "tokenizer.json", f"is missing{DOWNLOAD_AGAIN}")


def _is_there(path: Path) -> bool:
    """Whether there is such a file; where that is not to be known, who reads it says why."""
    try:
        return path.exists()
    except OSError:
        return False


def _misfit(folder: Path, component: str, problem: str) -> CheckpointError:
    return CheckpointError(folder / component / _DESCRIPTIONS[component], problem)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
