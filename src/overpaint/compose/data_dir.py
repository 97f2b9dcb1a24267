"""The folder that a server keeps its data in, and the secret of its links there. Knows of nothing else in it."""

import os
import secrets
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


def link_secret(folder: Path) -> bytes:
    """Kept beside the data, so that links outlive a restart; whoever reads it can make links.

    Whole or not there at all, whenever a process ends; of several that make it at once, all take the first one's.
    """
    path, beside = folder / "link-secret", folder / f"link-secret.{os.getpid()}"
    if not path.exists():
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            pass  # another server was first
        except OSError:
            beside.replace(path)  # a file system without hard links
        finally:
            beside.unlink(missing_ok=True)
    return path.read_bytes()
