"""Who asks fal's way: ``Authorization: Key <secret>`` (or ``<id>:<secret>``), ``Bearer``, or a token in the query."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader
from starlette.requests import HTTPConnection

from overpaint.api.deps import Call, call_by
from overpaint.api.dialects.fal.tokens import PREFIX, STORAGE, caller_of
from overpaint.core.errors import AccessError
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
    token = _token_of(connection)
    if token is None:
        return await service.keys.authenticate(secret_of(connection))
    return await caller_of(service, token, _alias(str(connection.path_params.get("app", ""))))


async def check_reach(connection: HTTPConnection, service: Service, app: str) -> None:
    """A request is found below any endpoint; a token reaches those of its own endpoints only.

    Args:
        connection: of somebody who was let in.
        service: knows the tokens.
        app: the endpoint that the request was sent to.

    Raises:
        AccessError: who asks bears a token for something else.
    """
    if token := _token_of(connection):
        await caller_of(service, token, _alias(app))


def _token_of(connection: HTTPConnection) -> str | None:
    """The secret of a request, when it is a token and not a key."""
    secret = secret_of(connection)
    return secret if secret is not None and secret.startswith(PREFIX) else None


def _alias(app: str) -> str:
    """What tokens call an endpoint: ``"qwen-image"`` of ``"fal-ai/qwen-image/lora"``; `STORAGE` where there is none."""
    steps = app.strip("/").split("/")
    return steps[1] if len(steps) > 1 else STORAGE


async def get_caller(request: Request, _: Annotated[object, Depends(_SCHEME)] = None) -> Caller:
    """See `authenticate`."""
    caller = await authenticate(request, request.app.state.service)
    request.scope["state"]["caller"] = caller
    return caller


async def get_key_caller(caller: Annotated[Caller, Depends(get_caller)], request: Request) -> Caller:
    """Who asks with a key: a token, which is for one use and a while, makes no further ones.

    Raises:
        AccessError: as `authenticate`; or it was a token.
    """
    if _token_of(request):
        raise AccessError("tokens are made with a key, not with a token")
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]
KeyCallerDep = Annotated[Caller, Depends(get_key_caller)]
CallDep = Annotated[Call, Depends(call_by(get_caller))]
