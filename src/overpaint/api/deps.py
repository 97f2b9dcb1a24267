"""What route functions ask for: the service, the configuration, the caller behind the key, and links for the answer."""

from dataclasses import dataclass
from typing import Annotated, cast

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

# Only for the OpenAPI document: the header is read by `bearer`, so that what is wrong with it is ours to word.
_scheme = HTTPBearer(auto_error=False, description="A key of `overpaint keys create NAME`.")


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


async def get_caller(request: Request, _: Annotated[object, Depends(_scheme)] = None) -> Caller:
    """Who asks.

    Raises:
        AccessError: no key, or not one of ours.
    """
    caller = await get_service(request).keys.authenticate(bearer(request))
    request.scope["state"]["caller"] = caller
    return caller


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


def get_call(request: Request, caller: Annotated[Caller, Depends(get_caller)]) -> Call:
    """The request of a known caller."""
    return Call(request, get_service(request), caller, get_config(request), get_links(request), get_closing(request))


def bearer(request: Request) -> str | None:
    """The secret in ``Authorization: Bearer ...``; None when there is none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def note_task(request: Request, task: Task) -> None:
    """Have the request's log line name the task."""
    request.scope["state"]["task_id"] = task.id


ServiceDep = Annotated[Service, Depends(get_service)]
ConfigDep = Annotated[ApiConfig, Depends(get_config)]
ClosingDep = Annotated[Closing, Depends(get_closing)]
LinksDep = Annotated[Links, Depends(get_links)]
CallerDep = Annotated[Caller, Depends(get_caller)]
AdminDep = Annotated[Caller, Depends(get_admin)]
CallDep = Annotated[Call, Depends(get_call)]
