"""Replicate's keys: ``Bearer`` as its clients send them, ``Token`` as the older ones do; and links that need none."""

from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPBearer

from overpaint.api.deps import Call, bearer, call_by, caller_by, get_service
from overpaint.api.dialects.replicate.tell import stream_key
from overpaint.core.errors import AccessError
from overpaint.service.caller import Caller


def read_token(request: Request) -> str | None:
    """The secret of a request; None when there is none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return bearer(request) or (secret.strip() or None if scheme.lower() == "token" else None)


get_caller = caller_by(read_token, HTTPBearer(auto_error=False, description="A key of `overpaint keys create NAME`."))
ReplicateCallDep = Annotated[Call, Depends(call_by(get_caller))]
ReplicateCallerDep = Annotated[Caller, Depends(get_caller)]


async def get_watcher(
    request: Request,
    task_id: str,
    key: Annotated[str, Query(description="Whose it is; in links.")] = "",
    expires: Annotated[str, Query(description="Unix time after which the link is dead.")] = "",
    signature: Annotated[str, Query(description="Proves that this server made the link.")] = "",
) -> Caller:
    """Who watches a prediction: whoever has the link of its stream, or its key.

    Raises:
        AccessError: the link is not ours or has expired, or there is neither.
    """
    if not signature:
        return await get_caller(request)
    service = get_service(request)
    service.links.check(stream_key(key, task_id), expires, signature, "stream")
    found = await service.keys.by_id(key)
    if found is None or found.revoked_at is not None:
        raise AccessError("this API key is not valid")
    return Caller(found)


WatchCallDep = Annotated[Call, Depends(call_by(get_watcher))]
