"""The folder that a server keeps its data in, and the secret of its links there. Knows of nothing else in it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from overpaint.core.errors import ConfigError

SECRET_BYTES = 32


def make_data_dir(folder: Path) -> None:
    """Make it where it is not there, closed to other users: prompts, pictures and secrets of webhooks are in it.

    Raises:
        ConfigError: it cannot be made or written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"data_dir: '{folder}' cannot be made ({(exc.strerror or str(exc)).lower()})") from exc
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"data_dir: '{folder}' cannot be written by this user")


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """For what is read and written there at the start.

    Raises:
        ConfigError: it cannot be, as on a full disk.
    """
    try:
        yield
    except OSError as exc:
        raise ConfigError(f"data_dir: '{folder}' cannot be used ({(exc.strerror or str(exc)).lower()})") from exc


def link_secret(folder: Path) -> bytes:
    """Kept beside the data, so that links outlive a restart; whoever reads it can make links.

    Whole or not there at all, whenever a process ends; of several that make it at once, all take the first one's.

    Raises:
        ConfigError: it can be neither read nor written.
    """
    with kept_in(folder):
        return _link_secret(folder)


def _link_secret(folder: Path) -> bytes:
    path, beside = folder / "link-secret", folder / f"link-secret.{os.getpid()}"
    if not path.exists():
        try:
            _write_secret(beside)
            _give_name(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    return path.read_bytes()


def _write_secret(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())


def _give_name(beside: Path, path: Path) -> None:
    try:
        os.link(beside, path)
    except FileExistsError:
        pass  # another server was first
    except OSError:
        beside.replace(path)  # a file system without hard links
