"""From the error tree to HTTP: the one table of statuses, and handlers that let each dialect word the answer.

Every error that leaves the application passes here, those of the framework too: none escapes its dialect's envelope.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overpaint.api.log import request_state
from overpaint.core.errors import (
    AccessError,
    BackendError,
    BudgetError,
    CancelledTaskError,
    CapacityError,
    CheckpointError,
    ConfigError,
    ContentError,
    OverpaintError,
    OversizeError,
    PictureError,
    RateLimitError,
    RequestError,
    TaskError,
    TaskNotFoundError,
    UnreachablePictureError,
)
from overpaint.core.ports import EngineAwayError
from overpaint.core.store_ports import RefusedValueError
from overpaint.core.task import Task, TaskFailure, TaskState

ErrorRenderer = Callable[[int, OverpaintError], Response]
log = logging.getLogger(__name__)


class ForbiddenError(AccessError):
    """The key is known, but may not do this."""

    code: ClassVar[str] = "forbidden"


class BodyTooLargeError(RequestError):
    """What was sent is larger than this server takes."""

    code: ClassVar[str] = "too_large"


class MissingFieldError(RequestError):
    """A field that must be there is not."""

    code: ClassVar[str] = "missing"

    def __init__(self, field: str, value: object = None, rule: str = "is required") -> None:
        super().__init__(field, value, rule)
        self.args = (f"{field}: {rule}",)


class UnknownFieldError(RequestError):
    """There is no such field."""


class FindingsError(RequestError):
    """A request breaks rules, for dialects that tell everything they find at once.

    Args:
        findings: as the dialect words them; at least one.
        field: of the first one.
        value: that it has.
        rule: that it breaks.
    """

    findings: Sequence[Mapping[str, object]] = ()

    def __init__(
        self, findings: Sequence[Mapping[str, object]], field: str = "body", value: object = "", rule: str = "is wrong"
    ) -> None:
        super().__init__(field, value, rule)
        self.findings = findings


class RouteError(OverpaintError):
    """The framework's own answers: no such path, not with this method.

    Args:
        status: as the framework chose it.
        message: the sentence for people.
        headers: that belong to the answer (``Allow``).
    """

    code: ClassVar[str] = "route"

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(message)


class FailedTaskError(OverpaintError):
    """A task that the caller waits for has failed; for dialects whose calls answer with the pictures themselves.

    Args:
        failure: of the task.
    """

    def __init__(self, failure: TaskFailure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class UnfinishedTaskError(OverpaintError):
    """A call that answers with the pictures themselves was held as long as it may be."""

    code: ClassVar[str] = "unfinished"
    retryable: ClassVar[bool] = True


STATUS_OF: dict[type[OverpaintError], int] = {
    OverpaintError: 500,
    RequestError: 400,
    PictureError: 400,
    UnreachablePictureError: 400,
    ContentError: 400,
    MissingFieldError: 400,
    FindingsError: 400,
    UnknownFieldError: 400,
    BodyTooLargeError: 413,
    AccessError: 401,
    ForbiddenError: 403,
    CapacityError: 503,
    OversizeError: 400,
    RateLimitError: 429,
    BudgetError: 402,
    TaskError: 409,
    TaskNotFoundError: 404,
    CancelledTaskError: 409,
    BackendError: 503,
    EngineAwayError: 503,
    RefusedValueError: 503,
    ConfigError: 500,
    CheckpointError: 500,
    FailedTaskError: 500,
    UnfinishedTaskError: 504,
}
STATUS_OF_FAILURE: dict[str, int] = {
    ContentError.code: 400,
    RequestError.code: 400,
    PictureError.code: 400,
    UnreachablePictureError.code: 400,
    CapacityError.code: 503,
    OversizeError.code: 400,
}
"""Of tasks that failed, by the code of their failure; a retry helps against none of the others."""
_NO_ROUTE = {404: "there is no {method} {path}; /docs lists what there is", 405: "{path} does not take {method}"}
LONGEST_PATH = 200
"""Characters of a path that an error repeats."""


def status_of(error: OverpaintError) -> int:
    """The HTTP status of an error: its own row, else that of the nearest ancestor."""
    if isinstance(error, RouteError):
        return error.status
    if isinstance(error, FailedTaskError):
        return STATUS_OF_FAILURE.get(error.failure.code, STATUS_OF[FailedTaskError])
    return next(STATUS_OF[cls] for cls in type(error).__mro__ if cls in STATUS_OF)


def code_of(error: OverpaintError) -> str:
    """The stable code of an error; of a failed task, why it failed."""
    return error.failure.code if isinstance(error, FailedTaskError) else error.code


def headers_of(error: OverpaintError) -> dict[str, str]:
    """The headers that go with an error in every dialect."""
    if isinstance(error, RouteError):
        return error.headers
    if isinstance(error, RateLimitError):
        return {"Retry-After": str(error.retry_after_whole_s)}
    if isinstance(error, AccessError) and not isinstance(error, ForbiddenError):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": "2"} if error.retryable else {}


def raise_unless_painted(task: Task) -> None:
    """See that a final task has its pictures.

    Raises:
        FailedTaskError: it failed.
        CancelledTaskError: it was cancelled.
    """
    if task.failure is not None:
        raise FailedTaskError(task.failure)
    if task.state is TaskState.CANCELLED:
        raise CancelledTaskError


def why_unpainted(task: Task) -> str | None:
    """What a final task without pictures says for itself; None of any other."""
    if task.state is TaskState.CANCELLED:
        return "the task was cancelled"
    return task.failure.message if task.failure else None


def from_validation(exc: RequestValidationError | ValidationError) -> RequestError:
    """What pydantic found wrong with a request, as field, value and rule; only the first finding."""
    found = cast("Mapping[str, object]", exc.errors()[0])
    location = cast("tuple[str | int, ...]", found.get("loc", ()))
    return from_finding(found, location[1:] if isinstance(exc, RequestValidationError) else location)


def from_finding(found: Mapping[str, object], location: tuple[str | int, ...]) -> RequestError:
    """One finding of pydantic's, as field, value and rule.

    Args:
        found: one of ``errors()``.
        location: of the field in the body.
    """
    field = field_name(location)
    if found.get("type") == "missing":
        return MissingFieldError(field)
    if found.get("type") == "extra_forbidden":
        return UnknownFieldError(field, _plain(found.get("input")), "is not taken: there is no such field")
    if found.get("type") in ("model_type", "dict_type", "model_attributes_type"):
        is_unread = isinstance(found.get("input"), bytes)  # the framework reads JSON only where it is called that
        rule = "must be JSON, sent with Content-Type: application/json" if is_unread else "must be an object"
        return RequestError(field, _plain(found.get("input")), rule)
    rule = str(found.get("msg", "is not usable")).removeprefix("Value error, ")
    if found.get("type") == "json_invalid":
        return RequestError("body", "", f"must be JSON ({rule})")
    return RequestError(field, _plain(found.get("input")), _clause(rule))


def field_name(location: tuple[str | int, ...]) -> str:
    """A place in a body as people write it: ``("images", 2)`` is ``"images[2]"``; nowhere is the body itself."""
    name = ""
    for part in location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name or "body"


class Unexpected:
    """An ASGI middleware that answers a bug of ours; inside `Access`, whose request id the answer has.

    Args:
        app: what comes after.
        renderer_of: words an error in the request's dialect.
    """

    def __init__(self, app: ASGIApp, renderer_of: Callable[[Request], ErrorRenderer]) -> None:
        self._app = app
        self._renderer_of = renderer_of

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

    async def on_route(request: Request, exc: Exception) -> Response:
        http = cast("HTTPException", exc)
        message = _NO_ROUTE.get(http.status_code, "{detail}").format(
            method=request.method, path=request.url.path[:LONGEST_PATH], detail=http.detail
        )
        return answer_error(renderer_of(request), RouteError(http.status_code, message, http.headers))

    app.add_exception_handler(OverpaintError, on_known)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_route)


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


def _plain(value: object) -> object:
    return f"{len(value)} bytes" if isinstance(value, bytes) else value


def _clause(rule: str) -> str:
    """Pydantic's ``"Input should be ..."`` as a clause that can follow a value."""
    return rule.replace("Input should be", "must be").replace("String should", "must").replace("List should", "must")
