"""What fal's JavaScript client calls a proxy: every request comes to one path, and a header says where it wants to go.

It goes no further than this server: the host named there decides which of the dialect's routes answers.
"""

from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from overpaint.api.dialects.fal.answers import PREFIX
from overpaint.core.errors import RequestError

router = APIRouter(tags=["fal"])
TARGET = "x-fal-target-url"
METHODS = ["GET", "POST", "PUT", "DELETE"]
HOSTS = {
    "fal.run": "/run",
    "falrun.com": "/run",
    "queue.fal.run": "/queue",
    "queue.falrun.com": "/queue",
    "rest.fal.ai": "/rest",
    "rest.alpha.fal.ai": "/rest",
    "v3.fal.media": "/cdn",
}
"""fal's hosts, and what their paths are put below here."""


class Forward(Response):
    """An answer that another route of this application gives.

    Args:
        request: as it came.
        path: of that route.
        query: for it.
    """

    def __init__(self, request: Request, path: str, query: str) -> None:
        super().__init__()
        self._router = request.app.router
        self._path = path
        self._query = query

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        there = {"path": unquote(self._path), "raw_path": self._path.encode(), "query_string": self._query.encode()}
        kept = {name: value for name, value in scope.items() if name not in ("path_params", "route", "endpoint")}
        await self._router(kept | there, receive, send)


@router.api_route("/proxy", methods=METHODS, include_in_schema=False)
@router.api_route("/api/fal/proxy", methods=METHODS, include_in_schema=False)
async def forward(request: Request) -> Response:
    """Answer as the host would that the client names.

    Raises:
        RequestError: it is none of fal's.
    """
    target = request.headers.get(TARGET, "")
    try:
        parts = urlsplit(target)
        below = HOSTS[(parts.hostname or "").lower()]
    except (ValueError, KeyError) as exc:
        raise RequestError(TARGET, target, f"must be a URL of {', '.join(HOSTS)}") from exc
    return Forward(request, f"{PREFIX}{below}{parts.path.rstrip('/')}", parts.query)
