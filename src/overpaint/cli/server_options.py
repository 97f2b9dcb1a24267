"""The flags that `serve`, `keys` and `usage` share, and how they become settings."""

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overpaint.settings import ServerSettings, config_path, read_server_settings

if TYPE_CHECKING:
    from overpaint.compose.server import OpenAccounts

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Folder of everything that is kept. Without it: overpaint-data.", show_default=False
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="sqlite:///PATH or postgresql://... Without it: a file in the data folder.",
        show_default=False,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file of settings. Without it: OVERPAINT_CONFIG.", show_default=False),
]


def server_settings(given: Mapping[str, object], config: Path | None) -> ServerSettings:
    """What flags, environment and file say together.

    Raises:
        ConfigError: one of them cannot be used.
    """
    return read_server_settings(given, config or config_path())


def open_accounts(settings: ServerSettings) -> "AbstractAsyncContextManager[OpenAccounts]":
    """See `compose.server.open_accounts`, which is imported when it is needed: the other commands need no database."""
    from overpaint.compose.server import open_accounts as opened

    logging.getLogger("overpaint").addHandler(logging.NullHandler())  # what the store warns of is raised as well
    return opened(settings)
