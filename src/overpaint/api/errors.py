"""What goes wrong at the border, beside the core's errors, and the one table of HTTP statuses for both."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from overpaint.core.errors import (
    AccessError,
    BackendError,
    BudgetError,
    CancelledTaskError,
    CapacityError,
    CheckpointError,
    ConfigError,
    ContentError,
    NoNumbersError,
    OverpaintError,
    OversizeError,
    PictureError,
    RateLimitError,
    RequestError,
    SettingError,
    TaskError,
    TaskNotFoundError,
    UnreachablePictureError,
)
from overpaint.core.ports import EngineAwayError
from overpaint.core.store_ports import RefusedValueError
from overpaint.core.task import Task, TaskFailure, TaskState


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


CLIENT_CLOSED = 499
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
    NoNumbersError: 500,
    ConfigError: 500,
    SettingError: 500,
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


def gone() -> RouteError:
    """What answers a client that has gone away, for logs and metrics: nobody reads it."""
    return RouteError(CLIENT_CLOSED, "the client has gone away")


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
