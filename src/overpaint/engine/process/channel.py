"""The child's end of the pipe. Knows what messages are, and nothing of what they say."""

import logging
import threading
from multiprocessing.connection import Connection

from overpaint.engine.process.messages import Close, FromChild, ToChild

_log = logging.getLogger(__name__)


class Channel:
    """Sends whole messages from any thread."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, message: FromChild) -> None:
        """Send; a parent that is gone is noticed by whoever receives."""
        try:
            with self._lock:
                self._pipe.send(message)
        except OSError:
            _log.debug("the parent is gone")

    def receive(self) -> ToChild:
        """The next order; `Close` when the parent is gone."""
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            return Close()
