"""fal's error bodies: a list of findings for what is wrong with an input, a text and a type for everything else.

Source: https://fal.ai/docs/documentation/model-apis/request-errors
"""

from dataclasses import dataclass, field
from typing import Any

from fastapi import Response

from overpaint.api.dialects.fal.findings import Finding, finding, findings_of
from overpaint.api.dialects.fal.kinds import OTHER, TYPE_OF
from overpaint.api.error_answers import json_answer
from overpaint.api.errors import CLIENT_CLOSED, FailedTaskError, RouteError, status_of
from overpaint.core.errors import CancelledTaskError, OverpaintError, RequestError, TaskError, TaskNotFoundError
from overpaint.core.task import TaskFailure

_FINAL = {"X-Fal-Retryable": "false"}
_TYPE_OF_STATUS = {400: "bad_request", 503: "runner_scheduling_failure", 504: "request_timeout"}
"""fal has none for what is told before a request is taken: keys (401), balance (402), paths (404), rates (429)."""


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
        return Refusal(422, findings_of(error), headers=dict(_FINAL))
    if isinstance(error, TaskError) and not isinstance(error, TaskNotFoundError):
        return _infra(400, error.message, "bad_request")
    kind = _TYPE_OF_STATUS.get(status, "" if status < 500 else "internal_error")
    return _infra(status, error.message, kind, error.headers if isinstance(error, RouteError) else {})


def _of_failure(failure: TaskFailure, status: int) -> Refusal:
    if status == 503:
        return _infra(503, failure.message, "runner_scheduling_failure")
    kind = TYPE_OF.get(failure.code, OTHER) if status == 400 else "internal_server_error"
    loc = ["body", "prompt"] if kind == "content_policy_violation" else ["body"]
    return Refusal(422 if status == 400 else status, [finding(loc, failure.message, kind)], headers=dict(_FINAL))


def _infra(status: int, text: str, kind: str, headers: dict[str, str] | None = None) -> Refusal:
    return Refusal(status, text, kind, ({"X-Fal-Error-Type": kind} if kind else {}) | (headers or {}))
