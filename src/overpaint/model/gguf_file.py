"""A transformer's GGUF file as a file: whether it is one, and what its tensors take. Knows nothing of torch."""

from dataclasses import dataclass
from pathlib import Path

from overpaint.core import CheckpointError, SettingError

_MAGIC = b"GGUF"
_PREFIX = "model.diffusion_model."
_GATE_UP = "gate_up.weight"
"""In the names of files that were made for ComfyUI."""
KINDS = ("Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0", "Q3_K", "Q2_K", "IQ4_NL", "IQ4_XS")
"""Packed types that diffusers reads."""
_PLAIN_KINDS = ("F32", "F16", "BF16")


@dataclass(frozen=True, slots=True)
class PackedTensor:
    """A tensor as its file has it.

    Args:
        shape: of its values.
        num_bytes: that it takes, packed.
    """

    shape: tuple[int, ...]
    num_bytes: int


def gguf_tensors(path: Path) -> dict[str, PackedTensor]:
    """The tensors of a GGUF file by the names that diffusers gives them, from its header.

    Raises:
        CheckpointError: it is no GGUF file, not one of this transformer, or packed in a way that is not read.
        ConfigError: the library that reads it is not installed.
    """
    check_gguf(path)
    from gguf import GGUFReader

    try:
        found = GGUFReader(path).tensors
    except (ValueError, KeyError, IndexError) as error:
        raise CheckpointError(path, f"is cut off or damaged ({error}); download it again") from error
    for tensor in found:
        if tensor.tensor_type.name not in (*KINDS, *_PLAIN_KINDS):
            problem = f"has {tensor.name} in {tensor.tensor_type.name}; take a file in one of {', '.join(KINDS)}"
            raise CheckpointError(path, problem)
    tensors: dict[str, PackedTensor] = {}
    for tensor in found:
        packed = PackedTensor(tuple(map(int, reversed(tensor.shape))), int(tensor.n_bytes))
        tensors |= _as_diffusers_has_it(tensor.name.removeprefix(_PREFIX), packed)
    if not any(name.startswith("transformer_blocks.") for name in tensors):
        raise CheckpointError(path, "holds no transformer_blocks; is it a Qwen-Image-2.x transformer?")
    return tensors


def _as_diffusers_has_it(name: str, tensor: PackedTensor) -> dict[str, PackedTensor]:
    """Gate and up projections are two matrices there, and one in ComfyUI's files."""
    stem = name.removesuffix(_GATE_UP)
    if stem == name:
        return {name: tensor}
    half = PackedTensor((tensor.shape[0] // 2, *tensor.shape[1:]), tensor.num_bytes // 2)
    return {f"{stem}gate_layer.weight": half, f"{stem}proj.weight": half}


def check_gguf(path: Path) -> None:
    """See that it is there, that it is a GGUF file, and that it can be read.

    Raises:
        CheckpointError: it is not.
        ConfigError: the library that reads it is not installed.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise CheckpointError(path, f"cannot be opened: {(error.strerror or str(error)).lower()}") from error
    if magic != _MAGIC:
        raise CheckpointError(path, "is not a GGUF file, the only kind that is taken in a transformer's place")
    try:
        import gguf  # noqa: F401  # pyright: ignore[reportUnusedImport]  an extra, looked for before gigabytes are read
    except ImportError as error:
        raise SettingError("transformer", "a GGUF file needs gguf; install overpaint[quantised]") from error
