"""A transformer's GGUF file as a file: whether it is one, and what its tensors take. Knows nothing of torch."""

from pathlib import Path

from overpaint.core import CheckpointError, ConfigError

_MAGIC = b"GGUF"


def gguf_block_bytes(path: Path, num_blocks: int) -> int:
    """Bytes of one of a transformer's blocks, from the file's header.

    Raises:
        CheckpointError: it is no GGUF file, or has no blocks of this transformer.
        ConfigError: the library that reads it is not installed.
    """
    check_gguf(path)
    from gguf import GGUFReader

    try:
        tensors = GGUFReader(path).tensors
    except (ValueError, KeyError, IndexError) as error:
        raise CheckpointError(path, f"cannot be read: {error}") from error
    sizes = [int(tensor.n_bytes) for tensor in tensors if "transformer_blocks." in tensor.name]
    if not sizes:
        raise CheckpointError(path, "holds no transformer_blocks; is it a Qwen-Image-2.x transformer?")
    return sum(sizes) // num_blocks


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
        raise CheckpointError(path, "is not a GGUF file")
    try:
        import gguf  # noqa: F401  # pyright: ignore[reportUnusedImport]  an extra, looked for before gigabytes are read
    except ImportError as error:
        raise ConfigError("transformer: a GGUF file needs gguf; install overpaint[quantised]") from error
