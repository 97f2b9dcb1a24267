"""One component of a checkpoint, loaded through diffusers or transformers, with every tensor found and none left over.

What is wrong with it is told in one line that names the file. Knows no devices, and nothing of the other components.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import GGUFQuantizationConfig
from diffusers.models.transformers.transformer_qwenimage21 import QwenImage21Transformer2DModel
from diffusers.utils import logging as diffusers_bars
from huggingface_hub.errors import StrictDataclassError
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars
from safetensors import SafetensorError
from transformers import Qwen3VLForConditionalGeneration
from transformers.utils import logging as transformers_bars

from overpaint.core import CheckpointError
from overpaint.model.checkpoint_files import read_json
from overpaint.model.gguf_file import gguf_tensors
from overpaint.model.weight_files import find_weights, tensor_shapes

_LOADERS_ERRORS = (
    *(OSError, ValueError, RuntimeError, KeyError, TypeError),
    *(SafetensorError, StrictDataclassError),
    ImportError,  # what it is quantised with is not installed
)


def load_transformer(folder: Path, gguf: Path | None, dtype: torch.dtype) -> Any:
    """The transformer, its weights from a GGUF file if one is given: those stay packed as they are there."""
    kind: Any = QwenImage21Transformer2DModel
    if gguf is None:
        return load_module(kind, folder, dtype)
    _check_tensors(
        gguf, _wanted(kind, folder), {name: tensor.shape for name, tensor in gguf_tensors(gguf).items()}, kind
    )
    packed = GGUFQuantizationConfig(compute_dtype=dtype)
    options = {"config": str(folder), "quantization_config": packed, "torch_dtype": dtype}
    module = guarded(gguf, lambda: kind.from_single_file(str(gguf), **options))
    return module.eval().requires_grad_(False)


def load_module(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """One component of diffusers, with every weight found, in eval mode on the host."""
    if "quantization_config" not in read_json(folder / "config.json"):  # else it has the tensors of that
        _check_tensors(folder, _wanted(kind, folder), tensor_shapes(folder), kind)
    return _load(kind, folder, dtype)


def load_encoder(folder: Path, dtype: torch.dtype) -> Any:
    """The text encoder, likewise; its library has other names for tensors than files may have, and tells them."""
    return _load(Qwen3VLForConditionalGeneration, folder, dtype, ignore_mismatched_sizes=True)


def _load(kind: Any, folder: Path, dtype: torch.dtype, **options: object) -> Any:
    options |= {"torch_dtype": dtype, "variant": find_weights(folder).variant}
    options |= {"use_safetensors": True, "output_loading_info": True}
    module, report = guarded(folder, lambda: kind.from_pretrained(folder, **options))
    misshaped = sorted(report.get("mismatched_keys", ()))
    wanted = {name: shape for name, _, shape in misshaped} | dict.fromkeys(report["missing_keys"], ())
    found = {name: shape for name, shape, _ in misshaped} | dict.fromkeys(report["unexpected_keys"], ())
    _check_tensors(folder, wanted, found, kind)
    return module.eval().requires_grad_(False)


def _wanted(kind: Any, folder: Path) -> dict[str, tuple[int, ...]]:
    """The tensors of a component of diffusers, as its config has them."""
    with torch.device("meta"):
        module = guarded(folder, lambda: kind.from_config(kind.load_config(folder)))
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _check_tensors(
    path: Path, wanted: Mapping[str, Sequence[int]], found: Mapping[str, Sequence[int]], kind: Any
) -> None:
    """See that a file has the tensors of a module, each in its shape, and no others.

    Raises:
        CheckpointError: naming the first that is missing, unknown or of another shape.
    """
    if missing := sorted(wanted.keys() - found.keys()):
        raise CheckpointError(path, f"lacks {len(missing)} tensors of a {kind.__name__}, {missing[0]} first")
    if unknown := sorted(found.keys() - wanted.keys()):
        raise CheckpointError(path, f"has {len(unknown)} tensors its config.json knows nothing of, {unknown[0]} first")
    for name, shape in wanted.items():
        if tuple(found[name]) != tuple(shape):
            has, wants = ("x".join(map(str, sides)) for sides in (found[name], shape))
            raise CheckpointError(path, f"has {name} of {has}, which its config.json makes {wants}")


def guarded(path: Path, load: Callable[[], Any]) -> Any:
    """Run a loader of another library, without its progress bars, mapping its errors to ours."""
    try:
        with _without_bars():
            return load()
    except _LOADERS_ERRORS as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(path, f"cannot be loaded: {reason}") from error


@contextmanager
def _without_bars() -> Generator[None]:
    """Keep the loaders' progress bars off the terminal for the length of a block; whose it is, is not known here."""
    hub_was_quiet = are_progress_bars_disabled()
    shown = [library for library in (transformers_bars, diffusers_bars) if library.is_progress_bar_enabled()]
    for library in shown:
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library in shown:
            library.enable_progress_bar()
        if hub_was_quiet:  # transformers' bars and the hub's go on and off together
            disable_progress_bars()
