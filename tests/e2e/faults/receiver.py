"""Hears webhooks, and remembers which message came for which task."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """What was heard.

    Args:
        port: where it listens.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self._lock = threading.Lock()
        self._heard: dict[str, list[str]] = defaultdict(list)

    def hear(self, task_id: str, message_id: str) -> None:
        with self._lock:
            self._heard[task_id].append(message_id)

    def heard(self) -> dict[str, list[str]]:
        """Message ids, by task, in the order they came."""
        with self._lock:
            return {task_id: list(ids) for task_id, ids in self._heard.items()}


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.hear(body["id"], self.headers["webhook-id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
