"""`overpaint usage`: what was charged, as a table for people or CSV for spreadsheets."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from operator import add
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from overpaint.cli.server_options import ConfigFile, Database, DataDir, open_accounts, server_settings
from overpaint.core.account import MICRO, UsageRow, UsageSum
from overpaint.settings import ServerSettings

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
    asyncio.run(_tell(settings, _utc(since), _utc(until), is_csv=csv))


async def _tell(settings: ServerSettings, since: datetime | None, until: datetime | None, *, is_csv: bool) -> None:
    async with open_accounts(settings) as accounts:
        names = {key.id: key.name for key in await accounts.keys.list_keys()}
        if is_csv:
            await _write_csv(accounts.store.usage(since=since, until=until), names)
        else:
            _write_table(await accounts.store.usage_sums(since=since, until=until), names)


async def _write_csv(rows: AsyncIterator[UsageRow], names: dict[str, str]) -> None:
    """Written as it is read: a year of it is a million rows.

    Names of keys have no quotes, commas or line breaks, and neither has anything else here.
    """
    typer.echo(",".join(COLUMNS))
    async for row in rows:
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


def _write_table(sums: list[UsageSum], names: dict[str, str]) -> None:
    """A name may have been another key's before; they are one line."""
    lines: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in sums:
        totals = lines[names.get(one.key_id, one.key_id), one.model]
        totals[:] = map(add, totals, (one.num_tasks, one.num_images, one.price_microusd))
    table = Table("key", "model", "tasks", "pictures", "dollars", box=None)
    for (key, model), (tasks, images, price) in sorted(lines.items()):
        table.add_row(key, model, str(tasks), str(images), f"{price / MICRO:.2f}")
    Console(soft_wrap=True).print(table)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
