"""The dialect's row."""

from pathlib import Path

from starlette.datastructures import Headers

from overpaint.api.dialect import Dialect, joined
from overpaint.api.dialects.pixazo import conversation, requests
from overpaint.api.dialects.pixazo.access import HEADER
from overpaint.api.dialects.pixazo.convert import NAME
from overpaint.api.dialects.pixazo.errors import render_error

PATHS = ("/qwen-image", "/v2/requests/status/")


def _claims(path: str, headers: Headers) -> bool:
    """Another vendor has requests below ``/v2``, too, but not this header."""
    return HEADER in headers and path.startswith(PATHS)


PIXAZO = Dialect(
    name=NAME,
    prefix="/pixazo",
    router=joined(conversation.router, requests.router),
    render_error=render_error,
    native_paths=PATHS,
    hosts=("gateway.pixazo.ai",),
    models=Path(__file__).with_name("models.toml"),
    claims=_claims,
)
