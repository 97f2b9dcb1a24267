"""Column types that mean the same on SQLite and PostgreSQL. Knows no table."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, TIMESTAMP, BigInteger, Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: `json` and not `jsonb` on PostgreSQL: it keeps any string as it was given, NUL and half surrogates included.
Document = JSON(none_as_null=True)


class UtcTime(TypeDecorator[datetime]):
    """A moment, aware, to the microsecond: `timestamptz` on PostgreSQL, microseconds since 1970 on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type underneath."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        """From ours to the database's.

        Raises:
            ValueError: the moment names no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} names no time zone")
        return value if dialect.name == "postgresql" else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: datetime | int | None, dialect: Dialect) -> datetime | None:
        """From the database's to ours, in UTC."""
        del dialect
        if isinstance(value, int):
            return _EPOCH + value * _MICROSECOND
        return value and value.astimezone(UTC)
