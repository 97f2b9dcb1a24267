"""A proxy that a network's bad day is made with: it passes requests on, and can lose or refuse the first ones."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

import httpx

from tests.contract.api.listening import listening

Fault = Literal["lost answer", "refused"]
_NOT_PASSED = ("content-length", "transfer-encoding", "connection", "date", "server", "content-encoding")


@dataclass
class FaultyProxy:
    """A proxy under way.

    Args:
        url: where it listens.
        faults: what befalls the next requests, one each.
        refusal: status, headers and body of one that is refused.
        seen: method and path of every request.
    """

    url: str
    faults: list[Fault]
    refusal: tuple[int, Mapping[str, str], bytes]
    seen: list[str] = field(default_factory=list[str])

    @property
    def posts(self) -> int:
        return sum(line.startswith("POST") for line in self.seen)


@contextmanager
def faulty_proxy(
    target: str,
    faults: list[Fault],
    refusal: tuple[int, Mapping[str, str], bytes] = (503, {"Retry-After": "0"}, b"{}"),
    method: str = "POST",
) -> Iterator[FaultyProxy]:
    """Stand between a client and `target`.

    Faults befall requests of one method. A lost answer: the server has done all that was asked, and the client never
    hears of it.
    """
    proxy = FaultyProxy("", list(faults), refusal)

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            proxy.seen.append(f"{self.command} {self.path}")
            fault = proxy.faults.pop(0) if self.command == method and proxy.faults else None
            if fault == "refused":
                self._answer(*proxy.refusal)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
            if fault == "lost answer":
                self._send_and_leave(body, headers)
                return
            with httpx.Client(trust_env=False, timeout=60) as http:
                answer = http.request(self.command, target + self.path, content=body, headers=headers)
            self._answer(answer.status_code, answer.headers, answer.content)

        def _send_and_leave(self, body: bytes, headers: Mapping[str, str]) -> None:
            """Long enough for the server to accept it; then both connections are gone."""
            try:
                with httpx.Client(trust_env=False, timeout=httpx.Timeout(60, read=0.3)) as http:
                    http.request(self.command, target + self.path, content=body, headers=headers)
            except httpx.ReadTimeout:
                pass
            self.close_connection = True
            self.connection.close()

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _NOT_PASSED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None: ...

    with listening(Handler) as proxy.url:
        yield proxy
