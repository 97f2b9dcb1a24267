"""What a task holds, to and from JSON documents. Knows no database.

Every document says its version. A field that is added with a default needs no new version; anything else does, and
then the old one stays readable here.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from overpaint.core.errors import BackendError
from overpaint.core.request import OutputSpec
from overpaint.core.result import Timings
from overpaint.core.sizes import Size
from overpaint.core.task import StoredAdapter, StoredFile, TaskFailure, TaskOutput, TaskSpec

VERSION = 1
JsonObject = dict[str, Any]
T = TypeVar("T")


def spec_to_json(spec: TaskSpec) -> JsonObject:
    """A spec as a document."""
    return {"v": VERSION, **asdict(spec)}


def spec_from_json(document: JsonObject) -> TaskSpec:
    """The spec in a document.

    Raises:
        BackendError: it is of another version, or damaged.
    """
    fields = _open(document)
    try:
        fields["pictures"] = tuple(StoredFile(**file) for file in fields["pictures"])
        fields["mask"] = fields["mask"] and StoredFile(**fields["mask"])
        fields["size"] = _size_from_json(fields["size"])
        fields["adapters"] = tuple(StoredAdapter(**adapter) for adapter in fields["adapters"])
        fields["output"] = OutputSpec(**fields["output"])
        return TaskSpec(**fields)
    except (KeyError, TypeError) as exc:
        raise _damaged(exc) from exc


def outputs_to_json(outputs: Sequence[TaskOutput]) -> JsonObject:
    """Finished pictures as a document."""
    return {"v": VERSION, "outputs": [asdict(output) for output in outputs]}


def outputs_from_json(document: JsonObject | None) -> tuple[TaskOutput, ...]:
    """The finished pictures in a document; none where there is no document.

    Raises:
        BackendError: it is of another version, or damaged.
    """
    if document is None:
        return ()
    try:
        return tuple(_output_from_json(output) for output in _open(document)["outputs"])
    except (KeyError, TypeError) as exc:
        raise _damaged(exc) from exc


def failure_to_json(failure: TaskFailure) -> JsonObject:
    """A failure as a document."""
    return {"v": VERSION, **asdict(failure)}


def failure_from_json(document: JsonObject | None) -> TaskFailure | None:
    """The failure in a document, if there is one.

    Raises:
        BackendError: it is of another version, or damaged.
    """
    return _plain(TaskFailure, document)


def timings_to_json(timings: Timings) -> JsonObject:
    """Timings as a document."""
    return {"v": VERSION, **asdict(timings)}


def timings_from_json(document: JsonObject | None) -> Timings | None:
    """The timings in a document, if there is one.

    Raises:
        BackendError: it is of another version, or damaged.
    """
    return _plain(Timings, document)


def files_of(spec: TaskSpec) -> set[str]:
    """Keys of the files that a spec names."""
    pictures = {file.key for file in (*spec.pictures, spec.mask) if file is not None}
    return pictures | {adapter.key for adapter in spec.adapters if adapter.key is not None}


def _size_from_json(size: Any) -> Size | float | None:
    return Size(**size) if isinstance(size, dict) else size  # pyright: ignore[reportUnknownArgumentType]


def _output_from_json(output: JsonObject) -> TaskOutput:
    file: JsonObject = output["file"]
    return TaskOutput(StoredFile(**file), output["seed"], output["has_nsfw"])


def _plain(kind: Callable[..., T], document: JsonObject | None) -> T | None:
    if document is None:
        return None
    try:
        return kind(**_open(document))
    except TypeError as exc:
        raise _damaged(exc) from exc


def _open(document: JsonObject) -> JsonObject:
    fields = dict(document)
    version = fields.pop("v", None)
    if version != VERSION:
        raise BackendError(f"the database holds a document of version {version!r}; this program reads {VERSION}")
    return fields


def _damaged(exc: Exception) -> BackendError:
    return BackendError(f"the database holds a damaged document: {exc}")
