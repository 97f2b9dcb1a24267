"""A checkpoint on the Hugging Face hub: what it would take, and fetching it. Torch-free.

What it would take is read from descriptions and from the headers of its weight files, a few hundred kilobytes in all.
Nothing is asked of the hub but about the repository that was named.
"""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overpaint.core import CheckpointError

_LIBRARIES = {"huggingface_hub", "httpx", "httpx2"}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository holds, without its weights.

    Args:
        descriptions: its JSON files that were asked for, by path.
        shapes: of the tensors of each component, by name.
        num_bytes: that fetching it takes.
    """

    descriptions: Mapping[str, Mapping[str, Any]]
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]]
    num_bytes: int


def fetch(hub_id: str, patterns: Sequence[str]) -> Path:
    """The folder of a repository, with the files that match.

    Raises:
        CheckpointError: the hub does not give it to us.
    """
    from huggingface_hub import snapshot_download  # only paid for when something is fetched

    with _asking(hub_id):
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns)))


def find_here(hub_id: str, patterns: Sequence[str]) -> Path | None:
    """The folder of a repository that was fetched before; None when it was not."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns), local_files_only=True))
    except OSError:  # the hub's own error derives from it
        return None


def list_repository(
    hub_id: str, descriptions: Sequence[str], components: Sequence[str], endpoint: str | None = None
) -> Listing:
    """Look at a repository without fetching its weights.

    Args:
        hub_id: names it.
        descriptions: JSON files to read.
        components: folders whose weight files' headers to read.
        endpoint: of the hub; None is the usual one.

    Raises:
        CheckpointError: the hub does not give it to us, or it is not such a checkpoint.
    """
    from huggingface_hub import HfApi, hf_hub_download

    api = HfApi(endpoint=endpoint)
    with _asking(hub_id):
        sizes = {file.rfilename: file.size or 0 for file in api.model_info(hub_id, files_metadata=True).siblings or []}
        for path in descriptions:
            if path not in sizes:
                raise CheckpointError(hub_id, f"has no {path}; it is not in the diffusers layout")
        read = {path: _read(hf_hub_download(hub_id, path, endpoint=endpoint)) for path in descriptions}
        shapes: dict[str, dict[str, tuple[int, ...]]] = {}
        for component in components:
            files = [path for path in sizes if path.startswith(f"{component}/") and path.endswith(".safetensors")]
            headers = [api.parse_safetensors_file_metadata(hub_id, path).tensors for path in files]
            shapes[component] = {name: tuple(tensor.shape) for header in headers for name, tensor in header.items()}
    wanted = [size for path, size in sizes.items() if path.endswith(".json") or path.partition("/")[0] in components]
    return Listing(read, shapes, sum(wanted))


def _read(path: str) -> Mapping[str, Any]:
    return json.loads(Path(path).read_text("utf-8"))


@contextmanager
def _asking(hub_id: str) -> Generator[None]:
    """Map the hub's errors to ours."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        yield
    except LocalEntryNotFoundError as error:
        reason = _first_line(error.__cause__ or error)
        problem = f"is no folder here and not whole in the hub's cache, and the hub is out of reach: {reason}"
        raise CheckpointError(hub_id, problem) from error
    except (OSError, ValueError) as error:  # the hub's own errors derive from these
        raise CheckpointError(
            hub_id, f"is no folder here, and the hub did not give it: {_first_line(error)}"
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in _LIBRARIES:
            raise CheckpointError(hub_id, f"could not be fetched from the hub: {_first_line(error)}") from error
        raise


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
