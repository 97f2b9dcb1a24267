"""The child's log lines on their way to the parent's log: its own from INFO on, libraries' from WARNING on.

Whoever logs never waits for the pipe, and a flood of lines cannot fill it: a few hundred a second are sent, the others
are counted. What a line is made of crosses, and no more: extra fields stay behind, where prompts might be in them.
"""

import logging
import threading
import time
from collections.abc import Callable

from overpaint.engine.process.messages import Logged, LogLine

LINES_HELD = 100
MAX_CHARS = 4000
SEND_EVERY_S = 0.25
_log = logging.getLogger(__name__)


def send_log(send: Callable[[Logged], None]) -> None:
    """Have everything that this process logs from now on sent to the parent."""
    logging.getLogger().addHandler(PipeLog(send))
    logging.getLogger("overpaint").setLevel(logging.INFO)


def repeat(told: Logged) -> None:
    """The parent's side: log what the child did, by the same loggers."""
    for line in told.lines:
        logger = logging.getLogger(line.logger)
        if logger.isEnabledFor(line.level):
            logger.handle(_record_of(line))
    if told.num_dropped:
        _log.warning("%d further lines of the engine's log were dropped", told.num_dropped)


class PipeLog(logging.Handler):
    """Holds lines until a thread of its own sends them.

    Args:
        send: sends them; may block.
    """

    def __init__(self, send: Callable[[Logged], None]) -> None:
        super().__init__()
        self._send = send
        self._lines: list[LogLine] = []
        self._num_dropped = 0
        self._holding = threading.Lock()
        self._sending = threading.Lock()
        self._news = threading.Event()
        threading.Thread(target=self._send_all, name="overpaint-log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        try:
            self._hold(record)
        except Exception:  # noqa: BLE001  a line whose words do not fit together costs whoever logs it nothing
            self.handleError(record)

    def flush(self) -> None:
        """Send what is held; when this returns, everything that was logged before is sent."""
        with self._sending:
            with self._holding:
                told = Logged(tuple(self._lines), self._num_dropped)
                self._lines, self._num_dropped = [], 0
            if told.lines:
                self._send(told)

    def _hold(self, record: logging.LogRecord) -> None:
        with self._holding:
            if len(self._lines) == LINES_HELD:
                self._num_dropped += 1
                return
            self._lines.append(_line_of(record))
        self._news.set()

    def _send_all(self) -> None:
        while self._news.wait():
            self._news.clear()
            self.flush()
            time.sleep(SEND_EVERY_S)


def _line_of(record: logging.LogRecord) -> LogLine:
    traceback = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
    message = record.getMessage()[:MAX_CHARS]
    return LogLine(record.name, record.levelno, record.created, message, traceback and traceback[-MAX_CHARS:])


def _record_of(line: LogLine) -> logging.LogRecord:
    fields = {
        "name": line.logger,
        "levelno": line.level,
        "levelname": logging.getLevelName(line.level),
        "created": line.created_s,
        "msg": line.message,
    }
    return logging.makeLogRecord(fields | ({"traceback": line.traceback} if line.traceback else {}))
