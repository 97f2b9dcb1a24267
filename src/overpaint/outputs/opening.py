"""A place for files by URL or path."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from overpaint.core.errors import ConfigError
from overpaint.core.output_ports import OutputStore
from overpaint.outputs.local import LocalOutputs
from overpaint.outputs.objects import ObjectOutputs

# Its overloads know which settings go with which storage; ours are text from a URL, and it checks them when it runs.
_from_url = cast(Callable[..., ObjectStore], from_url)
_OBJECT_SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
_CONNECT_TIMEOUT = timedelta(seconds=5)
_TIMEOUT = timedelta(seconds=60)
_RETRY_TIMEOUT = timedelta(seconds=10)
_MAX_RETRIES = 3


def folder_of(place: str) -> Path | None:
    """The folder that `place` names; None when it names something else."""
    parts = urlsplit(place)
    if len(parts.scheme) < 2:  # none, or the drive letter of a path
        return Path(place)
    return Path(parts.path) if parts.scheme == "file" else None


def open_outputs(place: str) -> OutputStore:
    """The place for files that `place` names; nothing is written yet.

    Args:
        place: a folder, or ``s3://bucket/prefix?endpoint=URL&region=...`` (likewise ``gs://``, ``az://``). The query
            holds obstore's settings of that storage; credentials come from it, or from where the storage's own
            tools look for them (environment, instance role).

    Raises:
        ConfigError: it cannot be used.
    """
    if (folder := folder_of(place)) is not None:
        return LocalOutputs(folder)
    parts = urlsplit(place)
    if parts.scheme not in _OBJECT_SCHEMES:
        raise ConfigError(f"outputs: '{parts.scheme}://{parts.netloc}' must be a folder, s3://, gs:// or az://")
    settings = dict(parse_qsl(parts.query))
    try:
        return ObjectOutputs(
            _from_url(
                urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")),
                client_options={
                    "connect_timeout": _CONNECT_TIMEOUT,
                    "timeout": _TIMEOUT,
                    "allow_http": settings.get("endpoint", "").startswith("http://"),
                },
                retry_config={"max_retries": _MAX_RETRIES, "retry_timeout": _RETRY_TIMEOUT},
                **settings,
            )
        )
    except (BaseError, ValueError, TypeError) as exc:
        raise ConfigError(f"outputs: '{parts.scheme}://{parts.netloc}' cannot be used ({exc})") from exc
