"""The dialect's row. Whoever changes nothing but the host of a script ends up below ``/v1`` or ``/v2`` at the root."""

from pathlib import Path

from starlette.datastructures import Headers

from overpaint.api.dialect import Dialect, joined
from overpaint.api.dialects.segmind import account, requests, sync
from overpaint.api.dialects.segmind.access import HEADER
from overpaint.api.dialects.segmind.convert import NAME
from overpaint.api.dialects.segmind.errors import render_error

VERSIONS = ("/v1/", "/v2/")
SLUGS = ("/v1/qwen-image", "/v2/qwen-image", "/v1/requests/", "/v2/requests/", "/v1/get-user-credits", "/upload-asset")


def _claims(path: str, headers: Headers) -> bool:
    """Other vendors have ``/v1`` too, but none of them this header."""
    return HEADER in headers and path.startswith(VERSIONS)


SEGMIND = Dialect(
    name=NAME,
    prefix="/segmind",
    router=joined(account.router, requests.router, sync.router),
    render_error=render_error,
    native_paths=SLUGS,
    hosts=("api.segmind.com", "workflows-api.segmind.com", "api.spotprod.segmind.com"),
    models=Path(__file__).with_name("models.toml"),
    claims=_claims,
)
