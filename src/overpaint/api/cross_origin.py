"""Lets pages of other origins call the dialects, as the vendors let them: nothing is done there without a key.

No cookie counts on those paths, so a page can do no more than its key lets it. Knows no dialect by name.
"""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from overpaint.api.dialect import Dialect

ANY = ("*",)


class CrossOrigin:
    """An ASGI middleware, for paths that are written out already.

    Args:
        app: what comes after.
        dialects: whose paths may be called.
    """

    def __init__(self, app: ASGIApp, dialects: Sequence[Dialect]) -> None:
        self._closed = app
        self._open = CORSMiddleware(app, allow_origins=ANY, allow_methods=ANY, allow_headers=ANY, expose_headers=ANY)
        self._dialects = tuple(dialects)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        is_open = scope["type"] == "http" and any(dialect.owns(scope["path"]) for dialect in self._dialects)
        await (self._open if is_open else self._closed)(scope, receive, send)
