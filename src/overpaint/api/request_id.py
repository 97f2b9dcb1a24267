"""The id of the request that is being answered, for bodies that repeat it. Knows no dialect."""

from uuid import uuid4

from overpaint.api.log import request_state
from overpaint.api.task_ids import dashed


def request_id() -> str:
    """As the header ``X-Request-Id`` has it, written as a UUID; a fresh one where no request is known."""
    state = request_state.get() or {}
    return dashed(state.get("request_id") or uuid4().hex)
