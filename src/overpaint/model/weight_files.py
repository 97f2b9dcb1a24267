"""The weight files of a checkpoint's component: which of its folder they are, whether they are whole, what they hold.

They are those that diffusers and transformers read, by the names that these give them. Looks at safetensors headers and
at their indexes only. Knows nothing of torch modules.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overpaint.core import CheckpointError
from overpaint.lora.header import Header, read_header
from overpaint.model.checkpoint_files import DOWNLOAD_AGAIN, read_json

_STEMS = {"transformer": "diffusion_pytorch_model", "text_encoder": "model", "vae": "diffusion_pytorch_model"}
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True)
class WeightFiles:
    """Where the weights of a component are.

    Args:
        paths: of all files, in order.
        variant: in their names, as loaders want to be told (``"fp16"``); None where there is none.
    """

    paths: tuple[Path, ...]
    variant: str | None = None


def find_weights(folder: Path) -> WeightFiles:
    """The weight files of a component; of a variant where there is one and no other.

    Args:
        folder: of the component, by whose name its files are called.

    Raises:
        CheckpointError: there are none that are read, or of several variants, or an index is broken.
    """
    stem = _STEMS[folder.name]
    names = _names_in(folder)
    if paths := _of_variant(folder, names, stem, None):
        return WeightFiles(paths)
    variants = sorted({found for name in names if (found := _variant_of(name, stem))})
    if len(variants) > 1:
        raise CheckpointError(folder, f"holds the variants {', '.join(variants)}; leave the files of one of them there")
    for variant in variants:
        return WeightFiles(_of_variant(folder, names, stem, variant), variant)
    raise CheckpointError(folder, _why_none(folder, f"{stem}.safetensors"))


def check_weights(folder: Path) -> None:
    """See that every weight file of a component is there and as long as its header says.

    Raises:
        CheckpointError: naming the first file that is not.
    """
    for path in find_weights(folder).paths:
        _header_of(path)


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of a component's tensors by name, from the headers of its weight files.

    Raises:
        CheckpointError: a file is missing or cut off.
    """
    return {name: shape for path in find_weights(folder).paths for name, shape in _header_of(path).shapes.items()}


def _names_in(folder: Path) -> Sequence[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise CheckpointError(folder, f"cannot be read ({error.strerror or error})") from error


def _of_variant(folder: Path, names: Sequence[str], stem: str, variant: str | None) -> tuple[Path, ...]:
    """The files of one variant, of an index or alone; none where there is neither."""
    within = f".{variant}" if variant else ""
    index, alone = f"{stem}.safetensors.index{within}.json", f"{stem}{within}.safetensors"
    # Where both are there, each library takes another one.
    if index in names and (alone not in names or folder.name != "text_encoder"):
        return _of_index(folder / index)
    return (folder / alone,) if alone in names else ()


def _variant_of(name: str, stem: str) -> str | None:
    stem = re.escape(stem)
    found = re.fullmatch(rf"{stem}\.(\w+)\.safetensors|{stem}\.safetensors\.index\.(\w+)\.json", name)
    return found and (found[1] or found[2])


def _of_index(path: Path) -> tuple[Path, ...]:
    weight_map: Any = read_json(path).get("weight_map")
    names: list[Any] = list(weight_map.values()) if isinstance(weight_map, dict) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise CheckpointError(path, f"has no weight_map from tensors to files beside it{DOWNLOAD_AGAIN}")
    return tuple(path.with_name(name) for name in sorted(set(names)))


def _why_none(folder: Path, wanted: str) -> str:
    if other := _first_shown(folder, "*.safetensors"):
        return f"holds {other} and no {wanted}; the loaders find weights by that name"
    if pickle := next(filter(None, (_first_shown(folder, pattern) for pattern in _PICKLES)), None):
        return (
            f"holds {pickle} and no .safetensors file, the only kind that is read; save the checkpoint as safetensors"
        )
    return f"holds no .safetensors file{DOWNLOAD_AGAIN}"


def _first_shown(folder: Path, pattern: str) -> str | None:
    """The first file by name, without hidden ones: macOS leaves a `._name` beside each that it copies elsewhere."""
    return min((path.name for path in folder.glob(pattern) if not path.name.startswith(".")), default=None)


def _header_of(path: Path) -> Header:
    try:
        return read_header(path)
    except FileNotFoundError as error:
        raise CheckpointError(path, f"is missing{DOWNLOAD_AGAIN}") from error
    except OSError as error:
        raise CheckpointError(path, f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise CheckpointError(path, f"{error}{DOWNLOAD_AGAIN}") from error
