"""A reverse proxy that serves a server below a path, which it takes off; all else of the host is somebody else's."""

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PIECE = 1 << 14
_OF_A_HOP = ("connection", "transfer-encoding", "keep-alive")


@dataclass
class Proxy:
    """One that runs.

    Args:
        url: where the server is reached by it.
        server: the server's own URL; to be set.
    """

    url: str
    server: str = ""


@contextmanager
def proxy_below(path: str, headers: Mapping[str, str]) -> Iterator[Proxy]:
    """A proxy that serves below `path`, and sends the server `headers` with every request."""

    class Handler(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            if not self.path.startswith(f"{path}/"):
                self.send_error(404, "another application's")
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server = http.client.HTTPConnection(urlsplit(proxy.server).netloc)
            sent = {**self.headers, **headers, "Connection": "close"}
            server.request(self.command, self.path.removeprefix(path), body or None, sent)
            answer = server.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_A_HOP:
                    self.send_header(name, value)
            self.end_headers()
            while piece := answer.read1(PIECE):
                self.wfile.write(piece)

        do_GET = do_HEAD = do_POST = pass_on  # noqa: N815

        def log_message(self, format: str, *args: object) -> None: ...

    front = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    front.daemon_threads = True
    proxy = Proxy(f"http://127.0.0.1:{front.server_port}{path}")
    threading.Thread(target=front.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        front.shutdown()
        front.server_close()
