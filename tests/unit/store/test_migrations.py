"""The revisions lead to the tables that the program uses."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from overpaint.core.errors import ConfigError
from overpaint.core.task import TaskState
from overpaint.store.migrations import run
from overpaint.store.migrations.run import migrate
from overpaint.store.opening import open_stores
from overpaint.store.schema import metadata


def test_the_migrated_tables_are_those_of_the_schema(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'new' / 'overpaint.db'}")
    migrate(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        migrated = {row.name: row.sql for row in connection.execute(text("SELECT name, sql FROM sqlite_master"))}
    engine.dispose()
    direct = create_engine("sqlite://")
    metadata.create_all(direct)
    with direct.connect() as connection:
        made = {row.name: row.sql for row in connection.execute(text("SELECT name, sql FROM sqlite_master"))}
    direct.dispose()
    # compare_metadata does not see CHECKs and the conditions of partial indexes; the statements hold them.
    lines = {name: sorted(_lines(sql)) for name, sql in migrated.items() if name != "alembic_version"}
    wanted = {name: sorted(_lines(sql)) for name, sql in made.items()}
    lines = {name: value for name, value in lines.items() if "alembic" not in name}
    assert lines == wanted


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'overpaint.db'}")
    migrate(url)
    migrate(url)


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'overpaint.db'}")
    migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigError, match=r"newer Overpaint .* revision 9999.* install that version again"):
        migrate(url)


@pytest.mark.anyio
async def test_a_database_of_the_first_revision_keeps_what_is_in_it(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'overpaint.db'}")
    _make_first_revision(url)
    stores = await open_stores(str(url), lambda: datetime.now(UTC))
    queued, running = await stores.tasks.get("queued"), await stores.tasks.get("running")
    assert (queued.spec.prompt, queued.spec.adapters, queued.spec.acceleration) == ("a fox", (), "none")
    assert running.state is TaskState.RUNNING
    requeued, _ = await stores.tasks.reclaim(await stores.tasks.leases(), max_losses=2)
    assert [task.id for task in requeued] == ["running"], "what its server left behind is painted again"
    assert (await stores.tasks.find_repeated("key", "once", "print")) == queued
    assert (await stores.accounts.standing("key", since=datetime(2026, 1, 1, tzinfo=UTC))).spent_microusd == 1005
    await stores.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _make_first_revision(url: URL) -> None:
    """As the first program wrote it: no sessions, no losses, a spec with fewer fields."""
    config, engine = Config(), create_engine(url)
    config.set_main_option("script_location", str(Path(run.__file__).parent))
    spec = """{"v": 1, "model": "m", "prompt": "a fox", "seed": 7, "enhanced_prompt": null, "negative_prompt": null,
        "pictures": [], "mask": null, "size": {"width": 64, "height": 64}, "num_images": 1, "steps": 4,
        "true_cfg_scale": 1.0, "adapters": [], "output": {"format": "png", "quality": 95, "background": "auto"}}"""
    task = """INSERT INTO tasks (id, key_id, dialect, model, spec, fingerprint, idempotency_key, price_microusd,
        priority, state, created_at, token, attempt, worker, leased_at, lease_expires_at)
        VALUES (:id, 'key', 'native', 'm', :spec, 'print', :once, 500, 0, :id, 1000000, 1, 1, :worker, :at, :at)"""
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        queued = {"id": "queued", "spec": spec, "once": "once", "worker": None, "at": None}
        running = {"id": "running", "spec": spec, "once": None, "worker": "gone", "at": 2000000}
        connection.execute(text(task), [queued, running])
        usage = "INSERT INTO usage VALUES ('old', 'key', 'm', 1, 5, 9, 1800000000000000)"
        connection.execute(text(usage))
    engine.dispose()


def _lines(statement: str | None) -> list[str]:
    # SQLite writes a column that was added later behind the last line, before the closing bracket.
    return [part.strip() for part in re.split(r"[,\n]", (statement or "").removesuffix(")")) if part.strip()]
