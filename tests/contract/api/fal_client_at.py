"""fal's Python client, unmodified, for one server. It reads its hosts when it is imported, so it is imported anew."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch


@cache
def fal_client_at(url: str) -> Any:
    """The module as a process sees it that was started with `FAL_RUN_HOST` and `FAL_QUEUE_RUN_HOST` of that server."""
    host = url.partition("://")[2]
    hosts = {"FAL_RUN_HOST": f"{host}/fal/run", "FAL_QUEUE_RUN_HOST": f"{host}/fal/queue"}
    with patch.dict(os.environ, hosts if host else {}):
        return _fresh()


def _fresh() -> Any:
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "fal_client"}
    try:
        return importlib.import_module("fal_client")
    finally:
        for name in list(sys.modules):
            if name.partition(".")[0] == "fal_client":
                del sys.modules[name]
        sys.modules.update(kept)


@contextmanager
def fal_client(url: str, key: str | None) -> Iterator[Any]:
    """A `SyncClient` for a server; it has no way to be closed but its connections' own."""
    client = fal_client_at(url).SyncClient(key=key)
    client_of_its_own = client._client
    try:
        yield client
    finally:
        client_of_its_own.close()
