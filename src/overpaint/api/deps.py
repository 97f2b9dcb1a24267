"""What route functions ask for: the service, the configuration, the caller behind the key, and links for the answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from overpaint.api.closing import Closing
from overpaint.api.config import ApiConfig
from overpaint.api.errors import ForbiddenError
from overpaint.api.public_url import MOUNT, Links, base_url
from overpaint.core.errors import AccessError
from overpaint.core.task import Task
from overpaint.service.caller import Caller
from overpaint.service.service import Service

T = TypeVar("T")


def get_service(request: Request) -> Service:
    """The service that the application was made for."""
    return cast("Service", request.app.state.service)


def get_config(request: Request) -> ApiConfig:
    """How the border behaves."""
    return cast("ApiConfig", request.app.state.config)


def get_closing(request: Request) -> Closing:
    """Tells when the server is about to stop."""
    return cast("Closing", request.app.state.closing)


def get_links(request: Request) -> Links:
    """Makes URLs as this client reaches the server."""
    service, config = get_service(request), get_config(request)
    return Links(base_url(request, config), cast("str", request.scope.get(MOUNT, "")), service.links)


def caller_by(
    read_key: Callable[[Request], str | None], scheme: Callable[..., Any]
) -> Callable[..., Awaitable[Caller]]:
    """A dependency that tells who asks, for a dialect with its own way to send a key.

    Args:
        read_key: the secret in a request; None when there is none.
        scheme: how the OpenAPI document says it; must not refuse by itself (``auto_error=False``).
    """

    async def get(request: Request, _: Annotated[object, Depends(scheme)] = None) -> Caller:
        caller = await get_service(request).keys.authenticate(read_key(request))
        request.scope["state"]["caller"] = caller
        return caller

    return get


def bearer(request: Request) -> str | None:
    """The secret in ``Authorization: Bearer ...``; None when there is none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def needed_bearer(request: Request) -> str:
    """The same, where there is no other way to send a key.

    Raises:
        AccessError: there is none.
    """
    secret = bearer(request)
    if secret is None:
        raise AccessError("an API key is needed, as the header Authorization: Bearer KEY")
    return secret


# The scheme is only for the OpenAPI document: the header is read here, so that what is wrong with it is ours to word.
get_caller = caller_by(
    needed_bearer, HTTPBearer(auto_error=False, description="A key of `overpaint keys create NAME`.")
)


async def get_admin(caller: Annotated[Caller, Depends(get_caller)]) -> Caller:
    """Who asks, when it is an admin.

    Raises:
        ForbiddenError: it is somebody else.
    """
    try:
        caller.require_admin()
    except AccessError as exc:
        raise ForbiddenError(exc.message) from exc
    return caller


@dataclass(frozen=True, slots=True)
class Call:
    """Everything a submission needs, at once."""

    request: Request
    service: Service
    caller: Caller
    config: ApiConfig
    links: Links
    closing: Closing


def call_by(get: Callable[..., Awaitable[Caller]]) -> Callable[..., Awaitable[Call]]:
    """A dependency that gives the request of a caller whom `get` tells (`get_caller`, or one of `caller_by`)."""

    async def call(request: Request, caller: Annotated[Caller, Depends(get)]) -> Call:
        return Call(
            request, get_service(request), caller, get_config(request), get_links(request), get_closing(request)
        )

    return call


def note_task(request: Request, task: Task) -> None:
    """Have the request's log line name the task, and its words where those may be logged."""
    request.scope["state"] |= {"task_id": task.id, "prompt": task.spec.prompt}


def _on_loop(read: Callable[[Request], T]) -> Callable[[Request], Awaitable[T]]:
    """`read` as a dependency that is called where it stands: a plain one is sent to a thread, which costs more."""

    async def dependency(request: Request) -> T:
        return read(request)

    return dependency


ServiceDep = Annotated[Service, Depends(_on_loop(get_service))]
ConfigDep = Annotated[ApiConfig, Depends(_on_loop(get_config))]
ClosingDep = Annotated[Closing, Depends(_on_loop(get_closing))]
LinksDep = Annotated[Links, Depends(_on_loop(get_links))]
CallerDep = Annotated[Caller, Depends(get_caller)]
AdminDep = Annotated[Caller, Depends(get_admin)]
CallDep = Annotated[Call, Depends(call_by(get_caller))]
AdminCallDep = Annotated[Call, Depends(call_by(get_admin))]
