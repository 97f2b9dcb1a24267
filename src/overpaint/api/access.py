"""Around every request: its id, its log line, its metrics, and the ``RateLimit-*`` headers of the key that was used.

Headers as in https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-06.html (limit, remaining, reset).
"""

import logging
import math
import time
from typing import Any, cast
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overpaint.api.log import request_state
from overpaint.api.metrics import Metrics
from overpaint.service.caller import Caller
from overpaint.service.service import Service

log = logging.getLogger("overpaint.access")
_QUIET = ("/health/", "/metrics")


class Access:
    """An ASGI middleware.

    Args:
        app: what comes after.
        service: knows the limits.
        metrics: counts.
    """

    def __init__(self, app: ASGIApp, service: Service, metrics: Metrics) -> None:
        self._app = app
        self._service = service
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = uuid4().hex
        token = request_state.set(state)
        started_s, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).setdefault("X-Request-Id", state["request_id"])
                self._add_limits(message, state)
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._note(scope, state, status, time.perf_counter() - started_s)
            request_state.reset(token)

    def _add_limits(self, message: Message, state: dict[str, Any]) -> None:
        caller = cast("Caller | None", state.get("caller"))
        known = self._service.limits.state(caller) if caller else None
        if known is not None:
            headers = MutableHeaders(scope=message)
            headers["RateLimit-Limit"] = str(known.limit)
            headers["RateLimit-Remaining"] = str(known.remaining)
            headers["RateLimit-Reset"] = str(max(0, math.ceil(known.reset_s)))

    def _note(self, scope: Scope, state: dict[str, Any], status: int, seconds: float) -> None:
        """The route's template goes into log and metrics, never the path: links carry their permission in it."""
        route = route_of(scope)
        self._metrics.saw_request(scope["method"], route, status, seconds)
        if route.startswith(_QUIET):
            return
        caller = cast("Caller | None", state.get("caller"))
        extra = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "request_id": state["request_id"],
            "key_id": caller.key_id if caller else None,
            "task_id": state.get("task_id"),
        } | {name: state[name] for name in ("prompt",) if name in state}
        log.info("request", extra=extra)


def route_of(scope: Scope) -> str:
    """The whole template of the route that took a request, such as ``/overpaint/v1/tasks/{task_id}``.

    FastAPI keeps the template with its prefixes apart from the route, which knows only its own part.
    """
    context = scope.get("fastapi", {}).get("effective_route_context")
    found = getattr(context, "path_format", None) or getattr(scope.get("route"), "path", None)
    return str(found) if found else "none"
