"""OpenAI's keys: ``Authorization: Bearer``, or ``api-key`` as its clients for Azure send them."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from overpaint.api.deps import Call, bearer, call_by, caller_by, needed_bearer
from overpaint.service.caller import Caller

HEADER = "api-key"


def read_key(request: Request) -> str | None:
    """The secret in a request.

    Raises:
        AccessError: there is none.
    """
    return bearer(request) or request.headers.get(HEADER) or needed_bearer(request)


get_caller = caller_by(
    read_key, HTTPBearer(auto_error=False, description="A key of `overpaint keys create NAME`; `api-key` has it, too.")
)
OpenAICallDep = Annotated[Call, Depends(call_by(get_caller))]
OpenAICallerDep = Annotated[Caller, Depends(get_caller)]
