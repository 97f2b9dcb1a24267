"""The dialect's row. It shares `/v1/models` and `/v1/files` with others, and knows its clients there by their names."""

import re
from pathlib import Path

from starlette.datastructures import Headers

from overpaint.api.dialect import Dialect, joined
from overpaint.api.dialects.replicate import files, models, predictions, stream
from overpaint.api.dialects.replicate.convert import NAME
from overpaint.api.dialects.replicate.errors import render_error
from overpaint.api.dialects.replicate.webhook import webhook_format

ROOT = "/v1"
OWN_PATHS = ("predictions", "deployments", "account", "hardware", "collections", "webhooks/default/")
_OWN = re.compile(r"/v1/models/[^/]+/[^/]+/(predictions|versions)(/.*)?")
_SHARED = re.compile(r"/v1/(models|files)(/.*)?")


def claims(path: str, headers: Headers) -> bool:
    """Whether a request is for this dialect: by what only it has, or by the client's name or the token's kind."""
    if _OWN.fullmatch(path):
        return True
    is_client = (
        "replicate" in headers.get("user-agent", "").lower()
    )  # replicate-python/1.0.7, AsyncReplicate/Python 2.0
    token = headers.get("authorization", "").partition(" ")[2].strip()
    return _SHARED.fullmatch(path) is not None and (is_client or token.startswith("r8_"))


REPLICATE = Dialect(
    name=NAME,
    prefix="/replicate",
    router=joined(stream.router, predictions.router, models.router, files.router, prefix=ROOT),
    render_error=render_error,
    native_paths=tuple(f"{ROOT}/{path}" for path in OWN_PATHS),
    hosts=("api.replicate.com",),
    webhooks=webhook_format,
    models=Path(__file__).with_name("models.toml"),
    claims=claims,
)
