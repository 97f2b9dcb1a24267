"""Who asks fal's way: ``Authorization: Key <secret>`` (or ``<id>:<secret>``), ``Bearer``, or a token in the query."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader
from starlette.requests import HTTPConnection

from overpaint.api.deps import Call, call_by
from overpaint.api.dialects.fal.tokens import PREFIX, STORAGE, caller_of
from overpaint.service.caller import Caller
from overpaint.service.service import Service

_SCHEME = APIKeyHeader(
    name="Authorization",
    scheme_name="FalKey",
    description="`Key <secret>`, as fal's clients send it.",
    auto_error=False,
)


def secret_of(connection: HTTPConnection) -> str | None:
    """The secret of a request; fal's may be of two parts, of which the second one is the secret."""
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("key", "bearer"):
        return secret.strip().rpartition(":")[2] or None
    return connection.query_params.get("fal_jwt_token")


async def authenticate(connection: HTTPConnection, service: Service) -> Caller:
    """Who asks, by key or by token.

    Raises:
        AccessError: nobody whom the server knows, or not for this.
    """
    secret = secret_of(connection)
    if secret is None or not secret.startswith(PREFIX):
        return await service.keys.authenticate(secret)
    app = str(connection.path_params.get("app", ""))
    return await caller_of(service, secret, app.strip("/").split("/")[1] if "/" in app.strip("/") else STORAGE)


async def get_caller(request: Request, _: Annotated[object, Depends(_SCHEME)] = None) -> Caller:
    """See `authenticate`."""
    caller = await authenticate(request, request.app.state.service)
    request.scope["state"]["caller"] = caller
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]
CallDep = Annotated[Call, Depends(call_by(get_caller))]
