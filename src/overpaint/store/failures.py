"""The adapter's door: what drivers raise becomes `BackendError`. Knows no table."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from overpaint.core.errors import BackendError
from overpaint.core.store_ports import RefusedValueError
from overpaint.core.trouble import Trouble

#: What drivers raise about a value that cannot be stored; the connection is still good.
REFUSALS = (DataError, IntegrityError, UnicodeError, OverflowError)


@contextmanager
def mapped_refusals() -> Iterator[None]:
    """Raise `RefusedValueError` for what drivers raise about a value inside, and leave everything else.

    Raises:
        RefusedValueError: with the driver's first line, without statement and values.
    """
    try:
        yield
    except REFUSALS as exc:
        raise RefusedValueError(f"the database refused a value: {_reason(exc)}") from exc


@contextmanager
def mapped_failures(trouble: Trouble) -> Iterator[None]:
    """Raise `BackendError` for everything that drivers raise inside, and have `trouble` told.

    Raises:
        BackendError: locked, full, gone, or (`RefusedValueError`) refused; its message is the driver's first line,
            without statement and values.
    """
    try:
        with mapped_refusals():
            yield
    except (SQLAlchemyError, OSError) as exc:
        reason = _reason(exc)
        trouble.failed(reason)
        raise BackendError(f"the database failed: {reason}") from exc
    trouble.worked()


def _reason(exc: Exception) -> str:
    # The driver's own words: SQLAlchemy's add the statement and its values, and those hold prompts.
    origin = getattr(exc, "orig", None) or exc
    if isinstance(origin, UnicodeError):
        return "a text cannot be encoded"
    lines = str(origin).strip().splitlines()
    return lines[0] if lines else type(origin).__name__
