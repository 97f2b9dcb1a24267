"""Where a page of a listing ends, as text that callers hand back unread."""

import base64
import binascii
from datetime import UTC, datetime

from overpaint.core.errors import RequestError


def write_cursor(created_at: datetime, item_id: str) -> str:
    """The cursor behind an item."""
    text = f"{created_at.astimezone(UTC).isoformat()} {item_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """The item that a page ended with: when it was created, and its id.

    Raises:
        RequestError: it was not written here.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        moment, item_id = text.split(" ")
        created_at = datetime.fromisoformat(moment)
    except (binascii.Error, ValueError) as exc:
        raise RequestError("cursor", cursor, "must be one that an earlier page gave") from exc
    if created_at.tzinfo is None:
        raise RequestError("cursor", cursor, "must be one that an earlier page gave")
    return created_at, item_id
