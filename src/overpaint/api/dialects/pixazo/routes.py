"""The dialect's row."""

from pathlib import Path

from fastapi import APIRouter
from starlette.datastructures import Headers

from overpaint.api.dialect import Dialect
from overpaint.api.dialects.pixazo import conversation, requests
from overpaint.api.dialects.pixazo.access import HEADER
from overpaint.api.dialects.pixazo.convert import NAME
from overpaint.api.dialects.pixazo.errors import render_error

PATHS = ("/qwen-image", "/v2/requests/status/")


def _claims(path: str, headers: Headers) -> bool:
    """Another vendor has requests below ``/v2``, too, but not this header."""
    return HEADER in headers and path.startswith(PATHS)


def _router() -> APIRouter:
    router = APIRouter()
    for part in (conversation.router, requests.router):
        router.include_router(part)
    return router


PIXAZO = Dialect(
    name=NAME,
    prefix="/pixazo",
    router=_router(),
    render_error=render_error,
    native_paths=("/qwen-image",),
    hosts=("gateway.pixazo.ai",),
    models=Path(__file__).with_name("models.toml"),
    claims=_claims,
)
