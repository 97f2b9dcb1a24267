"""From an error to an HTTP answer: handlers that let each dialect word it.

Every error that leaves the application passes here, those of the framework too: none escapes its dialect's envelope.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overpaint.api.closing import Closing
from overpaint.api.errors import RouteError, gone, headers_of, status_of
from overpaint.api.findings import from_validation
from overpaint.api.log import request_state
from overpaint.core.errors import OverpaintError

ErrorRenderer = Callable[[int, OverpaintError], Response]
log = logging.getLogger(__name__)

_NO_ROUTE = {404: "there is no {method} {path}; /docs lists what there is", 405: "{path} does not take {method}"}
LONGEST_PATH = 200
"""Characters of a path that an error repeats."""


class Unexpected:
    """An ASGI middleware that answers a bug of ours; inside `Access`, whose request id the answer has.

    Args:
        app: what comes after.
        renderer_of: words an error in the request's dialect.
        closing: whether the server stops.
    """

    def __init__(self, app: ASGIApp, renderer_of: Callable[[Request], ErrorRenderer], closing: Closing) -> None:
        self._app = app
        self._renderer_of = renderer_of
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            if not self._closing.has_begun:
                raise
            log.info("the server stops before somebody has taken the whole of an answer")
        except Exception as exc:
            error = unexpected(exc)
            if has_begun:
                raise  # half an answer must not look like a whole one: the server ends the connection
            await answer_error(self._renderer_of(Request(scope)), error)(scope, receive, send)


def install_errors(app: FastAPI, renderer_of: Callable[[Request], ErrorRenderer]) -> None:
    """Have every expected error of the application answered by the renderer of the request's dialect."""

    async def on_known(request: Request, exc: Exception) -> Response:
        return answer_error(renderer_of(request), cast("OverpaintError", exc))

    async def on_validation(request: Request, exc: Exception) -> Response:
        return answer_error(renderer_of(request), from_validation(cast("RequestValidationError", exc)))

    async def on_gone(request: Request, exc: Exception) -> Response:
        del exc
        return answer_error(renderer_of(request), gone())

    async def on_route(request: Request, exc: Exception) -> Response:
        http = cast("HTTPException", exc)
        message = _NO_ROUTE.get(http.status_code, "{detail}").format(
            method=request.method, path=request.url.path[:LONGEST_PATH], detail=http.detail
        )
        return answer_error(renderer_of(request), RouteError(http.status_code, message, http.headers))

    app.add_exception_handler(OverpaintError, on_known)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_route)
    app.add_exception_handler(ClientDisconnect, on_gone)


def unexpected(exc: Exception) -> OverpaintError:
    """What a caller hears of a bug of ours, which goes to the log."""
    request_id = (request_state.get() or {}).get("request_id")
    log.error("unexpected %s", type(exc).__name__, exc_info=exc, extra={"request_id": request_id})
    return OverpaintError("an unexpected error; the server's log has the details")


def json_answer(status: int, body: Mapping[str, object]) -> Response:
    """An answer in JSON; in ASCII, because what it repeats of a request may be half a character."""
    return Response(json.dumps(body), status_code=status, media_type="application/json")


def answer_error(render: ErrorRenderer, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`, with the headers that belong to it."""
    response = render(status_of(error), error)
    response.headers.update(headers_of(error))
    return response
