"""The FastAPI application over a `Service`. Whoever wants two servers in a process calls `create_app` twice.

A request passes: access log and metrics -> unexpected errors -> body limit -> dialect aliases -> other origins -> route
-> the error renderer of its dialect.
Native routes and each dialect are rows of one table; the application knows none of them by name.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI, Request
from starlette.types import Scope

from overpaint.api import files, health
from overpaint.api.access import Access
from overpaint.api.aliases import DialectAliases
from overpaint.api.body import BodyLimit
from overpaint.api.closing import Closing
from overpaint.api.config import ApiConfig
from overpaint.api.cross_origin import CrossOrigin
from overpaint.api.dialect import Dialect
from overpaint.api.dialects import DIALECTS
from overpaint.api.docs_page import TAGS, add_docs_page
from overpaint.api.error_answers import ErrorRenderer, Unexpected, install_errors
from overpaint.api.metrics import Metrics
from overpaint.api.native import NATIVE
from overpaint.service.service import Service
from overpaint.version import __version__

STOP_S = 4.0
OTHER_REFUSALS: dict[int | str, dict[str, Any]] = {"default": {"description": "Any other refusal, in the same shape."}}
DESCRIPTION = (
    "Paints pictures from words and edits pictures by instruction. `/overpaint/v1` is the server's own API; the others "
    "answer in the words of services that scripts may already speak."
)


def create_app(
    service: Service,
    config: ApiConfig | None = None,
    *,
    metrics: Metrics | None = None,
    closing: Closing | None = None,
    dialects: Sequence[Dialect] = DIALECTS,
) -> FastAPI:
    """The application; starts the service when it is started, and stops it when it is stopped.

    Args:
        service: not started yet.
        config: how the border behaves.
        metrics: where to count; a fresh one without.
        closing: begun by whoever stops the server; a fresh one without.
        dialects: which vendors to speak like.
    """
    rows = (NATIVE, *dialects)
    app = FastAPI(
        title="Overpaint",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        openapi_tags=TAGS,
        lifespan=_lifespan,
        separate_input_output_schemas=False,
        redirect_slashes=False,  # a catch-all's path with a slash is taken off that slash again, without end
    )
    app.state.service = service
    app.state.config = config or ApiConfig()
    app.state.metrics = metrics or Metrics()
    app.state.closing = closing or Closing()
    _add_routes(app, rows)
    install_errors(app, lambda request: _renderer_of(request, rows))
    _add_middleware(app, rows)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service = cast("Service", app.state.service)
    await service.start()
    _warm_up(app)
    try:
        yield
    finally:
        cast("Closing", app.state.closing).begin()
        await service.stop(STOP_S)


def _warm_up(app: FastAPI) -> None:
    """Look through all routes once: the framework prepares them then, and the first caller would wait for it."""
    scope: Scope = {"type": "http", "method": "GET", "path": "/no/such/path", "headers": [], "app": app}
    for route in app.router.routes:
        route.matches(scope)


def _add_routes(app: FastAPI, rows: Sequence[Dialect]) -> None:
    app.include_router(health.router)
    app.include_router(files.router)
    add_docs_page(app)
    for row in rows:
        app.include_router(row.router, prefix=row.prefix, responses=OTHER_REFUSALS)


def _add_middleware(app: FastAPI, rows: Sequence[Dialect]) -> None:
    """Starlette runs what is added last first."""
    state: Any = app.state
    app.add_middleware(CrossOrigin, dialects=rows)
    app.add_middleware(DialectAliases, dialects=rows)
    app.add_middleware(BodyLimit, max_bytes=state.config.max_body_bytes, max_held_bytes=state.config.max_held_bytes)
    app.add_middleware(Unexpected, renderer_of=lambda request: _renderer_of(request, rows), closing=state.closing)
    app.add_middleware(Access, service=state.service, metrics=state.metrics)


def _renderer_of(request: Request, rows: Sequence[Dialect]) -> ErrorRenderer:
    path = cast("str", request.scope["path"])
    return next((row.render_error for row in rows if row.owns(path)), NATIVE.render_error)
