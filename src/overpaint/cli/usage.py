"""`overpaint usage`: what was charged, as a table for people or CSV for spreadsheets."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from overpaint.cli.server_options import ConfigFile, Database, DataDir, open_accounts, server_settings
from overpaint.core.account import UsageRow
from overpaint.settings import ServerSettings

MICRO = 1_000_000
COLUMNS = ("task_id", "key", "model", "num_images", "price_usd", "engine_ms", "finished_at")


def usage(
    csv: Annotated[bool, typer.Option("--csv", help="Every charged task, as CSV on stdout.")] = False,
    since: Annotated[datetime | None, typer.Option("--since", help="From this moment on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option("--until", help="Before this moment (UTC).")] = None,
    data_dir: DataDir = None,
    database: Database = None,
    config: ConfigFile = None,
) -> None:
    """Say what was charged, by key and model.

    Examples:
      overpaint usage --since 2026-11-01

      overpaint usage --csv > usage.csv
    """
    settings = server_settings({"data_dir": data_dir, "database": database}, config)
    rows, names = asyncio.run(_read(settings, _utc(since), _utc(until)))
    if csv:
        _write_csv(rows, names)
    else:
        _write_table(rows, names)


async def _read(
    settings: ServerSettings, since: datetime | None, until: datetime | None
) -> tuple[list[UsageRow], dict[str, str]]:
    async with open_accounts(settings) as accounts:
        names = {key.id: key.name for key in await accounts.keys.list_keys()}
        return [row async for row in accounts.store.usage(since=since, until=until)], names


def _write_csv(rows: list[UsageRow], names: dict[str, str]) -> None:
    """Names of keys have no quotes, commas or line breaks, and neither has anything else here."""
    typer.echo(",".join(COLUMNS))
    for row in rows:
        values = (
            row.task_id,
            names.get(row.key_id, row.key_id),
            row.model,
            row.num_images,
            f"{row.price_microusd / MICRO:.6f}",
            row.engine_ms,
            row.finished_at.isoformat(),
        )
        typer.echo(",".join(map(str, values)))


def _write_table(rows: list[UsageRow], names: dict[str, str]) -> None:
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        totals = sums[names.get(row.key_id, row.key_id), row.model]
        totals[0] += 1
        totals[1] += row.num_images
        totals[2] += row.price_microusd
    table = Table("key", "model", "tasks", "pictures", "dollars", box=None)
    for (key, model), (tasks, images, price) in sorted(sums.items()):
        table.add_row(key, model, str(tasks), str(images), f"{price / MICRO:.2f}")
    Console(soft_wrap=True).print(table)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
