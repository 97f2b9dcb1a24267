"""Lets a dialect answer at the vendor's own paths and host names: rewrites such requests onto the dialect's prefix.

An ASGI middleware, so that each route exists once, in the OpenAPI document too. It notes where the request really came
in, for the URLs in the answer. A slash at the end of a dialect's path means nothing: some clients put one there, and a
redirect would lose the body, the key or the caller's own scheme and host.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from overpaint.api.dialect import Dialect
from overpaint.api.public_url import MOUNT
from overpaint.service.files import INPUTS, OUTPUTS, UPLOADS
from overpaint.service.links import FILES_PATH

_SHARED = (*(f"{FILES_PATH}{folder}" for folder in (UPLOADS, INPUTS, OUTPUTS)), "/health/", "/metrics")


class DialectAliases:
    """Rewrites paths.

    Args:
        app: what comes after.
        dialects: whose paths and hosts count.
    """

    def __init__(self, app: ASGIApp, dialects: Sequence[Dialect]) -> None:
        self._app = app
        self._dialects = tuple(dialects)
        paths = [(native, dialect.prefix) for dialect in dialects for native in dialect.native_paths]
        self._paths = sorted(paths, key=lambda path: -len(path[0]))  # one vendor's may lie below another's
        self._hosts = dict(_host(entry, dialect) for dialect in dialects for entry in dialect.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] in ("http", "websocket"):
            self._rewrite(scope)
        await self._app(scope, receive, send)

    def _rewrite(self, scope: Scope) -> None:
        path: str = scope["path"]
        direct = next((dialect for dialect in self._dialects if dialect.owns(path)), None)
        scope[MOUNT] = direct.prefix if direct else ""
        prefix = "" if direct else self._elsewhere(path, Headers(scope=scope))
        if prefix is not None:
            scope["path"] = prefix + path.rstrip("/")
            scope["raw_path"] = prefix.encode() + (scope.get("raw_path") or path.encode()).rstrip(b"/")

    def _elsewhere(self, path: str, headers: Headers) -> str | None:
        """What a path that begins with no dialect's prefix is put below."""
        return self._by_host(path, headers) or self._by_claim(path, headers) or self._by_path(path)

    def _by_path(self, path: str) -> str | None:
        return next((prefix for native, prefix in self._paths if path.startswith(native)), None)

    def _by_claim(self, path: str, headers: Headers) -> str | None:
        return next((dialect.prefix for dialect in self._dialects if dialect.claims(path, headers)), None)

    def _by_host(self, path: str, headers: Headers) -> str | None:
        if not self._hosts or path.startswith(_SHARED):
            return None
        return self._hosts.get(headers.get("host", "").partition(":")[0].lower())


def _host(entry: str, dialect: Dialect) -> tuple[str, str]:
    """A host name, and what the paths that are asked of it are put below."""
    host, slash, rest = entry.partition("/")
    return host, dialect.prefix + slash + rest
