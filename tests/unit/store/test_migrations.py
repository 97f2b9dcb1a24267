"""The revisions lead to the tables that the program uses."""

import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from overpaint.core.errors import ConfigError
from overpaint.store.migrations.run import migrate
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
    with pytest.raises(ConfigError, match="another version"):
        migrate(url)


def _lines(statement: str | None) -> list[str]:
    # SQLite writes a column that was added later behind the last line, before the closing bracket.
    return [part.strip() for part in re.split(r"[,\n]", (statement or "").removesuffix(")")) if part.strip()]
