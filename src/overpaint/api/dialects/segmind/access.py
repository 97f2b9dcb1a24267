"""Segmind's way to send a key: ``x-api-key``. One of its pages says ``Authorization: Bearer``; that works too."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from overpaint.api.deps import Call, bearer, call_by, caller_by

HEADER = "x-api-key"


def read_key(request: Request) -> str | None:
    """The secret in a request; None when there is none."""
    return request.headers.get(HEADER) or bearer(request)


get_caller = caller_by(read_key, APIKeyHeader(name=HEADER, scheme_name="SegmindKey", auto_error=False))
SegmindCallDep = Annotated[Call, Depends(call_by(get_caller))]
