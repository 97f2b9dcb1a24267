"""fal's error bodies: a list of findings for what is wrong with an input, a text and a type for everything else.

Sources: https://docs.fal.ai/errors and https://fal.ai/docs/documentation/model-apis/request-errors
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from fastapi import Response
from pydantic import ValidationError

from overpaint.api.errors import (
    FailedTaskError,
    FindingsError,
    RouteError,
    from_validation,
    json_answer,
    status_of,
)
from overpaint.api.field_names import in_words
from overpaint.core.errors import CancelledTaskError, OverpaintError, RequestError, TaskError, TaskNotFoundError
from overpaint.core.task import Task, TaskFailure, TaskState

REFUSAL = "refusal"
START_WITHIN_S = "start_within_s"
"""Words that a request carries in its task's wording: why it was refused, and how soon it had to be started."""
USER_TIMEOUT = {"X-Fal-Request-Timeout-Type": "user"}
CLIENT_CLOSED = 499
_MAX_ECHO = 200
_TYPE_OF = {
    "missing": "missing",
    "content": "content_policy_violation",
    "invalid_picture": "image_load_error",
    "unreachable_picture": "file_download_error",
}
_INFRA: dict[int, str] = {
    400: "bad_request",
    402: "bad_request",
    404: "bad_request",
    413: "bad_request",
    429: "bad_request",
    503: "runner_scheduling_failure",
    504: "request_timeout",
}

Finding = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success."""

    status: int
    detail: str | list[Finding]
    kind: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def body(self) -> dict[str, Any]:
        """As it is sent."""
        return {"detail": self.detail} | ({"error_type": self.kind} if self.kind else {})

    @property
    def text(self) -> str:
        """Why, in one line."""
        return self.detail if isinstance(self.detail, str) else str(self.detail[0]["msg"])

    @property
    def error_type(self) -> str:
        """Its type, wherever it stands."""
        return self.kind if isinstance(self.detail, str) else str(self.detail[0]["type"])


def render_error(status: int, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`."""
    return answer_of(refusal_of(error, status))


def answer_of(refusal: Refusal) -> Response:
    """A refusal as it is sent."""
    response = json_answer(refusal.status, refusal.body)
    response.headers.update(refusal.headers)
    return response


def refusal_of(error: OverpaintError, status: int | None = None) -> Refusal:
    """What fal answers; never 408 or 409, which its client sends again and again.

    Args:
        error: any.
        status: as the application has it; None looks it up.
    """
    status = status_of(error) if status is None else status
    if isinstance(error, FailedTaskError):
        return _of_failure(error.failure, status)
    if isinstance(error, CancelledTaskError):
        return _infra(CLIENT_CLOSED, error.message, "client_cancelled")
    if isinstance(error, RequestError) and status == 400:
        return Refusal(422, findings_of(error), headers={"X-Fal-Retryable": "false"})
    if isinstance(error, TaskError) and not isinstance(error, TaskNotFoundError):
        return _infra(400, error.message, "bad_request")
    headers = error.headers if isinstance(error, RouteError) else {}
    return _infra(status, error.message, _INFRA.get(status, "internal_error"), headers)


def findings_of(error: RequestError, names: Mapping[str, str] | None = None) -> list[Finding]:
    """What is wrong with an input.

    Args:
        error: any.
        names: fal's names of fields, by the service's.
    """
    if isinstance(error, FindingsError) and error.findings:
        return [dict(one) for one in error.findings]
    message = in_words(error, names or {})
    kind = _TYPE_OF.get(error.code, "value_error")
    words = "Field required" if kind == "missing" else message
    return [_finding(["body", *_steps_to(message.partition(":")[0])], words, kind, error.value, message)]


def from_pydantic(exc: ValidationError) -> RequestError:
    """Everything that pydantic found, as fal shows it."""
    found = exc.errors(include_url=False, include_context=False)
    first = from_validation(exc)
    findings = [
        _finding(["body", *_place(one["loc"])], one["msg"], one["type"], cast("object", one["input"])) for one in found
    ]
    return FindingsError(findings, first.field, first.value, first.rule)


def ending_error(task: Task) -> OverpaintError | None:
    """Why a final task has no pictures; None when it has."""
    refusal = task.spec.wording.get(REFUSAL)
    if refusal is not None:
        return FindingsError(json.loads(refusal))
    if task.failure is not None:
        return FailedTaskError(task.failure)
    if task.state is not TaskState.CANCELLED:
        return None
    if _is_late(task):
        return RouteError(504, "the request was not started in the time it was given", USER_TIMEOUT)
    return CancelledTaskError("Request was cancelled")


def start_by(task: Task) -> datetime | None:
    """When a task has to be started at the latest; None is whenever."""
    within_s = task.spec.wording.get(START_WITHIN_S)
    return None if within_s is None else task.created_at + timedelta(seconds=float(within_s))


def _is_late(task: Task) -> bool:
    """Whether a task was cancelled because it was not started in time."""
    limit = start_by(task)
    if limit is None or task.finished_at is None:
        return False
    return task.started_at is None and task.finished_at >= limit


def _of_failure(failure: TaskFailure, status: int) -> Refusal:
    if status == 503:
        return _infra(503, failure.message, "runner_scheduling_failure")
    kind = _TYPE_OF.get(failure.code, "value_error") if status == 400 else "internal_server_error"
    loc = ["body", "prompt"] if kind == "content_policy_violation" else ["body"]
    return Refusal(422 if status == 400 else status, [_finding(loc, failure.message, kind)])


def _infra(status: int, text: str, kind: str, headers: dict[str, str] | None = None) -> Refusal:
    return Refusal(status, text, kind, {"X-Fal-Error-Type": kind, **(headers or {})})


def _finding(
    loc: Sequence[str | int], text: str, kind: str, value: object = None, reason: str | None = None
) -> Finding:
    found: Finding = {"loc": list(loc), "msg": text, "type": kind, "url": f"https://docs.fal.ai/errors#{kind}"}
    context = {} if reason is None or reason == text else {"ctx": {"error": reason}}
    return found | context | ({} if value is None else {"input": _echo(value)})


def _steps_to(name: str) -> list[str | int]:
    """Where a field is: ``"image_urls[1]"`` is two steps, the body itself none."""
    parts = re.findall(r"[^.\[\]]+", name.removeprefix("body"))
    return [int(part) if part.isdigit() else part for part in parts]


def _place(location: tuple[str | int, ...]) -> list[str | int]:
    """Where in the body; of a choice of types, pydantic names each, which is no place."""
    return [part for part in location if part != "ImageSize" and not str(part).startswith("literal[")]


def _echo(value: object) -> object:
    """What was sent, unless it is long: pictures are not sent back."""
    text = json.dumps(value, default=str)
    return value if len(text) <= _MAX_ECHO and not isinstance(value, bytes) else f"{text[:_MAX_ECHO]}..."
