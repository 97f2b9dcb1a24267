"""Requests that offer to go on in HTTP/2 without TLS, as those of Java's own client do: the offer is ignored.

RFC 9110 (7.8) lets a server do so. The parser would take such a request for the last one in HTTP/1.1 and drop its body.
"""

import re
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_HEAD = re.compile(rb"[A-Z]+ [^\r\n]+ HTTP/1\.1\r\n")
_OFFER = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)


class WithoutH2c(HttpToolsProtocol):
    """uvicorn's way to speak HTTP/1.1, less the offer; WebSockets are upgraded to as ever."""

    def data_received(self, data: bytes) -> None:
        """Handle what came in."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # there is none before the first request
        is_within = cycle is not None and not cycle.response_complete
        super().data_received(data if is_within else without_offer(data))


def without_offer(data: bytes) -> bytes:
    """What was received, without the offer where it begins with a request's head that has one."""
    if not _HEAD.match(data):
        return data
    head, end, body = data.partition(b"\r\n\r\n")
    return _OFFER.sub(b"", head + b"\r\n")[:-2] + end + body
