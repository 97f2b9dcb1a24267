"""What earlier starts have left: that this user can write it, and that the pictures are where they are looked for.

Told at the start, as what it is: later it would be a failure of every request, or pictures that seem to be lost.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import URL

from overpaint.core.errors import ConfigError
from overpaint.core.store_ports import TaskStore
from overpaint.core.task import TaskState

_BESIDE_SQLITE = ("", "-wal", "-shm")
_IN_OUTPUTS = ("", ".incoming", "inputs", "outputs", "uploads")


def require_own_database(url: URL) -> None:
    """See that a SQLite file that is there can be written.

    Raises:
        ConfigError: it cannot, as after a restore by another user.
    """
    if url.get_backend_name() == "sqlite":
        _require_own("database", (Path(f"{url.database}{end}") for end in _BESIDE_SQLITE))


def require_own_outputs(folder: Path) -> None:
    """See that the folder of pictures can be written, where it is there.

    Raises:
        ConfigError: it cannot.
    """
    _require_own("outputs", (folder / name for name in _IN_OUTPUTS))


async def require_outputs_of(tasks: TaskStore, folder: Path) -> None:
    """See that an empty folder is a new one.

    Raises:
        ConfigError: there are tasks whose pictures should be in it: most likely its disk is not mounted.
    """
    if _holds_something(folder):
        return
    done, _ = await tasks.list_tasks(states=(TaskState.SUCCEEDED,), limit=1)
    if done:
        raise ConfigError(
            f"outputs: '{folder}' is empty, but there are tasks with pictures; is its disk mounted? "
            f"To go on without them: mkdir -p '{folder}/.incoming'"
        )


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and next(folder.iterdir(), None) is not None


def _require_own(setting: str, paths: Iterator[Path]) -> None:
    for path in paths:
        if path.exists() and not os.access(path, os.W_OK):
            raise ConfigError(f"{setting}: '{path}' cannot be written by this user")
