"""fal's answers about a task: its output or its refusal, with the request's id in a header."""

from datetime import UTC, datetime

from fastapi import Response

from overpaint.api.dialects.fal.convert import APP, INLINE, lifetime_s, to_output
from overpaint.api.dialects.fal.endings import ending_error
from overpaint.api.dialects.fal.endpoints import ENDPOINTS, alias_of
from overpaint.api.dialects.fal.errors import answer_of, refusal_of
from overpaint.api.dialects.fal.schemas import NewOutput, Output
from overpaint.api.error_answers import json_answer
from overpaint.api.errors import RouteError
from overpaint.api.inline import read_inline
from overpaint.api.public_url import Links
from overpaint.api.task_ids import dashed
from overpaint.core.task import Task
from overpaint.service.service import Service

PREFIX = "/fal"
REQUEST_ID = "x-fal-request-id"


def queue_url(links: Links, app: str, task_id: str) -> str:
    """Where a request in the queue is asked for, whichever way its caller came."""
    return f"{links.base}{PREFIX}/queue/{alias_of(app)}/requests/{dashed(task_id)}"


def output_of(task: Task, links: Links, urls: list[str] | None = None) -> NewOutput | Output:
    """What a painted task's endpoint answers, with links unless something else is given in their place."""
    endpoint = ENDPOINTS.get(task.spec.wording.get(APP, ""))
    return to_output(task, urls or urls_of(task, links), is_new=endpoint is not None and endpoint.is_new)


async def asked_output_of(service: Service, task: Task, links: Links) -> NewOutput | Output:
    """The same, with the pictures themselves where that was asked for."""
    if INLINE not in task.spec.wording:
        return output_of(task, links)
    return output_of(task, links, [(await read_inline(service, output.file)).data_uri for output in task.outputs])


def urls_of(task: Task, links: Links) -> list[str]:
    """Links to a task's pictures, which live as long as its caller wished."""
    age_s = (datetime.now(UTC) - task.finished_at).total_seconds() if task.finished_at else 0
    left_s = lifetime_s(task.spec.wording, age_s)
    return [links.base + links.files.link(output.file.key, lifetime_s=left_s) for output in task.outputs]


async def result(service: Service, task: Task, links: Links) -> Response:
    """The output of a task, why there is none, or that it is not done."""
    error = ending_error(task) if task.state.is_final else RouteError(400, "Request is still in progress")
    if error is not None:
        answer = answer_of(refusal_of(error))
    else:
        answer = json_answer(200, (await asked_output_of(service, task, links)).model_dump())
    answer.headers[REQUEST_ID] = dashed(task.id)
    return answer
