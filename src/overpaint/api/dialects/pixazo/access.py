"""Pixazo's way to send a key: ``Ocp-Apim-Subscription-Key``, or ``subscription-key`` in the query."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader

from overpaint.api.deps import Call, bearer, call_by, caller_by

HEADER = "ocp-apim-subscription-key"
QUERY = "subscription-key"


def read_key(request: Request) -> str | None:
    """The secret in a request; None when there is none."""
    return request.headers.get(HEADER) or request.query_params.get(QUERY) or bearer(request)


get_caller = caller_by(read_key, APIKeyHeader(name=HEADER, scheme_name="PixazoKey", auto_error=False))
PixazoCallDep = Annotated[Call, Depends(call_by(get_caller))]
