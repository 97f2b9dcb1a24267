"""The dialect's row: fal's hosts as folders below its prefix, and where they are found without one."""

from pathlib import Path

from fastapi import APIRouter

from overpaint.api.dialect import Dialect
from overpaint.api.dialects.fal import files, proxy, queue, realtime, rest, run
from overpaint.api.dialects.fal.answers import PREFIX
from overpaint.api.dialects.fal.convert import NAME
from overpaint.api.dialects.fal.errors import render_error
from overpaint.api.dialects.fal.refusals import ERRORS
from overpaint.api.dialects.fal.webhook import webhook_format

JWKS = "/.well-known/jwks.json"


def _router() -> APIRouter:
    router = APIRouter(responses=ERRORS)
    router.include_router(proxy.router)
    router.include_router(rest.router, prefix="/rest")
    router.include_router(files.router, prefix="/cdn")
    router.include_router(queue.router, prefix="/queue")
    router.include_router(run.router, prefix="/run")
    router.include_router(realtime.router, prefix="/run")
    router.add_api_route(JWKS, rest.jwks, methods=["GET"], include_in_schema=False)
    return router


FAL = Dialect(
    name=NAME,
    prefix=PREFIX,
    router=_router(),
    render_error=render_error,
    native_paths=("/api/fal/", JWKS),
    hosts=tuple(host + below for host, below in proxy.HOSTS.items()),
    webhooks=webhook_format,
    models=Path(__file__).with_name("models.toml"),
)
