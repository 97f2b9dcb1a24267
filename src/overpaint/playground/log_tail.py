"""The last lines of the server's log, for the operator's eyes."""

import logging
from collections import deque

LINES_KEPT = 300


class LogTail(logging.Handler):
    """Keeps the last lines.

    Args:
        formatter: of a line; the same that the log itself uses, so that what it leaves out is left out here.
    """

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; requests are left out, they are counted elsewhere."""
        if record.name != "overpaint.access":
            self._lines.append(self.format(record))

    def lines(self) -> list[str]:
        """Oldest first."""
        return list(self._lines)
