"""HTTP servers of the tests' own process: whatever answers as told, and one that hears webhooks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ARRIVAL_S = 60.0


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve; yields the URL."""
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_port}"
    finally:
        web.shutdown()
        web.server_close()
        thread.join()


class Hook:
    """A webhook's address, and what came there."""

    def __init__(self) -> None:
        self.url = ""
        self._messages: list[tuple[dict[str, str], bytes]] = []
        self._arrived = threading.Event()

    def hear(self, headers: dict[str, str], body: bytes) -> None:
        self._messages.append((headers, body))
        self._arrived.set()

    def first(self) -> tuple[dict[str, str], bytes]:
        """Wait for a message; its headers, with names in lower case, and its body."""
        assert self._arrived.wait(ARRIVAL_S)
        return self._messages[0]


@contextmanager
def webhook_receiver() -> Iterator[Hook]:
    """Listen for webhooks."""
    hook = Hook()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.hear({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    with listening(Receiver) as url:
        hook.url = f"{url}/hook"
        yield hook
