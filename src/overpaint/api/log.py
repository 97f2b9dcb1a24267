"""Log lines as JSON, one object each, with the task they belong to. Prompts, keys, bodies and query strings stay out.

Whoever logs gives the task by ``extra={"task_id": ...}``; within a request the request's own task is taken.
"""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_state: ContextVar[dict[str, Any] | None] = ContextVar("overpaint_request_state", default=None)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_SECRET = frozenset({"secret", "key", "authorization"})
_PRIVATE = frozenset({"prompt", "negative_prompt", "enhanced_prompt"})
_UNSEEN = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A))}
"""What JSON lets stand, but a terminal obeys and some readers of lines cut at: controls, breaks, turns of direction."""

_TALKATIVE = (
    "httpx",
    "httpcore",
    "httpcore2",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
    "asyncio",
    "alembic",
    "PIL",
)
"""They tell what nobody asked: uvicorn the whole address of a WebSocket, in whose query keys may be."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object.

    Args:
        shows_prompts: whether what callers asked for is kept, where a record holds it.
    """

    def __init__(self, *, shows_prompts: bool = False) -> None:
        super().__init__()
        self._hidden = _SECRET if shows_prompts else _SECRET | _PRIVATE

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line["task_id"] = (request_state.get() or {}).get("task_id")
        line.update({name: value for name, value in vars(record).items() if self._is_extra(name)})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str).translate(_UNSEEN)

    def _is_extra(self, name: str) -> bool:
        return name not in _STANDARD and name not in self._hidden and not name.startswith("_")


def configure_logs(level: str, *, shows_prompts: bool = False) -> None:
    """Send everything of this process to stderr as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(shows_prompts=shows_prompts))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
