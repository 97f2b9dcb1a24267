"""Absolute URLs in answers: the configured base, else what the request says it was sent to.

Reads ``X-Forwarded-Proto``, ``-Host`` and ``-Prefix`` of a proxy in front. They are believed from anybody, because the
answer goes to nobody but who sent them; what does not look like a host is not.
"""

import re
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from overpaint.api.config import ApiConfig
from overpaint.core.task import StoredFile
from overpaint.service.links import FileLinks

MOUNT = "overpaint.mount"
_HOST = re.compile(r"[A-Za-z0-9.\-_]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_OF_SOCKETS = {"ws": "http", "wss": "https"}
"""What files are read by, of connections on which messages come."""
_PREFIX = re.compile(r"(/[A-Za-z0-9.\-_~]+)+")


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the absolute URLs of one answer.

    Args:
        base: scheme, host and prefix of this server, without a trailing slash.
        mount: where the request's dialect is reached below it: its own prefix, or empty when it came by a native path.
        files: makes the paths of stored files.
    """

    base: str
    mount: str
    files: FileLinks

    def route(self, path: str) -> str:
        """URL of a path of the request's dialect (``"/api/v3/predictions/..."``)."""
        return f"{self.base}{self.mount}{path}"

    def file(self, file: StoredFile) -> str:
        """URL that reads a stored file, no key needed, for as long as links live."""
        return self.base + self.files.link(file.key)

    def key(self, key: str, action: str = "get") -> str:
        """URL that reads or (``"put"``) writes the file with that key."""
        return self.base + self.files.link(key, action)


def base_url(request: HTTPConnection, config: ApiConfig) -> str:
    """What clients reach this server by, without a trailing slash."""
    if config.public_url:
        return config.public_url.rstrip("/")
    scheme = _first(request, "x-forwarded-proto").lower()
    if scheme not in ("http", "https"):
        scheme = _OF_SOCKETS.get(request.url.scheme, request.url.scheme)
    hosts = (_first(request, "x-forwarded-host"), request.headers.get("host", ""))
    host = next((host for host in hosts if _HOST.fullmatch(host)), "localhost")
    prefix = _first(request, "x-forwarded-prefix").rstrip("/")
    return f"{scheme}://{host}{prefix if _PREFIX.fullmatch(prefix) else ''}"


def _first(request: HTTPConnection, header: str) -> str:
    return request.headers.get(header, "").split(",")[0].strip()
