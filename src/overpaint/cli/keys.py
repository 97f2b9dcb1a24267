"""`overpaint keys`: make, list, limit and revoke API keys. Works on the database, also while a server runs on it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from overpaint.cli.server_options import ConfigFile, Database, DataDir, open_accounts, server_settings
from overpaint.core.account import MAX_BUDGET_USD, MAX_COUNT, MICRO, ApiKey, KeyLimits
from overpaint.core.errors import BackendError, RequestError
from overpaint.settings import ServerSettings

TABLE_WIDTH = 160
N = TypeVar("N", int, float)
Name = Annotated[str, typer.Argument(help="The key's name.", show_default=False)]
Rate = Annotated[str | None, typer.Option("--per-minute", metavar="<int>", help="Submissions a minute, or none.")]
Open = Annotated[
    str | None, typer.Option("--open-tasks", metavar="<int>", help="Tasks queued and running together, or none.")
]
Budget = Annotated[
    str | None, typer.Option("--budget", metavar="<float>", help="Dollars in a calendar month (UTC), or none.")
]
Uploads = Annotated[
    str | None, typer.Option("--uploads", metavar="<int>", help="MiB of uploads stored at once; none: as the server.")
]
NO_LIMIT = "none"


def build_keys() -> typer.Typer:
    """The commands below `overpaint keys`."""
    app = typer.Typer(help="Make, list, limit and revoke API keys.", no_args_is_help=True)
    app.command("create")(create)
    app.command("list")(list_keys)
    app.command("limit")(limit)
    app.command("revoke")(revoke)
    return app


def create(
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="May see and change everything.")] = False,
    per_minute: Rate = None,
    open_tasks: Open = None,
    budget: Budget = None,
    uploads: Uploads = None,
    data_dir: DataDir = None,
    database: Database = None,
    config: ConfigFile = None,
) -> None:
    """Make a key and print it, alone, on stdout; nobody can ever read it again.

    Examples:
      KEY=$(overpaint keys create shop)

      overpaint keys create agency --per-minute 60 --budget 200
    """
    limits, settings = (
        KeyLimits(**_limits(per_minute, open_tasks, budget, uploads)),
        _settings(data_dir, database, config),
    )
    secret = asyncio.run(_create(settings, name, limits, is_admin=admin))
    try:
        typer.echo(secret)
    except OSError as exc:
        asyncio.run(_revoke(settings, name))
        raise BackendError(f"the key could not be written ({exc.strerror or exc}) and is revoked") from exc


def list_keys(data_dir: DataDir = None, database: Database = None, config: ConfigFile = None) -> None:
    """List all keys, oldest first, revoked ones too."""
    _print(asyncio.run(_list(_settings(data_dir, database, config))))


def limit(
    name: Name,
    per_minute: Rate = None,
    open_tasks: Open = None,
    budget: Budget = None,
    uploads: Uploads = None,
    data_dir: DataDir = None,
    database: Database = None,
    config: ConfigFile = None,
) -> None:
    """Change what a key may do, and show it; a limit that is not given stays, `none` lifts one.

    Examples:
      overpaint keys limit shop --per-minute 120

      overpaint keys limit shop --budget none
    """
    settings, changes = _settings(data_dir, database, config), _limits(per_minute, open_tasks, budget, uploads)
    _print([asyncio.run(_limit(settings, name, changes))])


def revoke(name: Name, data_dir: DataDir = None, database: Database = None, config: ConfigFile = None) -> None:
    """Make a key useless; running servers notice within a second."""
    asyncio.run(_revoke(_settings(data_dir, database, config), name))


async def _create(settings: ServerSettings, name: str, limits: KeyLimits, *, is_admin: bool) -> str:
    async with open_accounts(settings) as accounts:
        _, secret = await accounts.keys.create(name, limits=limits, is_admin=is_admin)
        return secret


async def _list(settings: ServerSettings) -> list[ApiKey]:
    async with open_accounts(settings) as accounts:
        return await accounts.keys.list_keys()


async def _limit(settings: ServerSettings, name: str, changes: dict[str, int | None]) -> ApiKey:
    async with open_accounts(settings) as accounts:
        in_force = (key for key in await accounts.keys.list_keys() if key.name == name and not key.revoked_at)
        present = next((key.limits for key in in_force), KeyLimits())
        return await accounts.keys.set_limits(name, replace(present, **changes))


async def _revoke(settings: ServerSettings, name: str) -> None:
    async with open_accounts(settings) as accounts:
        await accounts.keys.revoke(name)


def _settings(data_dir: Path | None, database: str | None, config: Path | None) -> ServerSettings:
    return server_settings({"data_dir": data_dir, "database": database}, config)


def _limits(
    per_minute: str | None, open_tasks: str | None, budget: str | None, uploads: str | None
) -> dict[str, int | None]:
    """The limits that are given, by their names in `KeyLimits`; None lifts one."""
    given = (
        ("requests_per_minute", "per-minute", per_minute, 1, MAX_COUNT),
        ("max_open_tasks", "open-tasks", open_tasks, 1, MAX_COUNT),
        ("max_upload_mib", "uploads", uploads, 0, MAX_COUNT),
    )
    limits = {
        name: None if text == NO_LIMIT else _read(flag, text, int, least, most)
        for name, flag, text, least, most in given
        if text is not None
    }
    if budget is None:
        return limits
    dollars = None if budget == NO_LIMIT else _read("budget", budget, float, 0, MAX_BUDGET_USD)
    return limits | {"monthly_budget_microusd": None if dollars is None else round(dollars * MICRO)}


def _read(flag: str, text: str, read: Callable[[str], N], least: int, most: int) -> N:
    rule = f"must be a number from {least} to {most}, or {NO_LIMIT}"
    try:
        value = read(text)
    except ValueError as exc:
        raise RequestError(flag, text, rule) from exc
    if not least <= value <= most:
        raise RequestError(flag, text, rule)
    return value


def _print(keys: Sequence[ApiKey]) -> None:
    table = Table(box=None)
    for name in ("name", "id", "admin", "per minute", "open tasks", "budget $", "uploads MiB", "created", "revoked"):
        table.add_column(name, no_wrap=True)
    for key in keys:
        table.add_row(*_row(key))
    Console(width=TABLE_WIDTH).print(table)


def _row(key: ApiKey) -> tuple[str, ...]:
    limits = key.limits
    budget = None if limits.monthly_budget_microusd is None else limits.monthly_budget_microusd / MICRO
    numbers = (limits.requests_per_minute, limits.max_open_tasks, budget, limits.max_upload_mib)
    shown = tuple("-" if number is None else f"{number:g}" for number in numbers)
    times = tuple(time.strftime("%Y-%m-%d %H:%M") if time else "-" for time in (key.created_at, key.revoked_at))
    return (key.name, key.id, "yes" if key.is_admin else "no", *shown, *times)
