"""The server's own API under ``/overpaint/v1``: tasks, files, models, and keys and usage for admins."""

from fastapi import APIRouter, Depends

from overpaint.api.dialect import Dialect
from overpaint.api.native import accounts, events, files, models, tasks, usage
from overpaint.api.native.envelope import render_error
from overpaint.api.native.known_query import known_query
from overpaint.api.native.webhooks import webhook_format


def _router() -> APIRouter:
    router = APIRouter(dependencies=[Depends(known_query)])
    for part in (tasks, events, files, models, accounts, usage):
        router.include_router(part.router)
    return router


NATIVE = Dialect(
    name="native",
    prefix="/overpaint/v1",
    router=_router(),
    render_error=render_error,
    webhooks=webhook_format,
)
