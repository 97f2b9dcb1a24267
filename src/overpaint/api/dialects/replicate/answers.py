"""Replicate's answers about predictions, with their pictures; and its refusals, described."""

from typing import Any

from pydantic import BaseModel

from overpaint.api.deps import Call
from overpaint.api.dialects.replicate.schemas import Prediction
from overpaint.api.dialects.replicate.tell import to_prediction
from overpaint.api.inline import read_inline
from overpaint.core.task import Task


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    title: str
    detail: str
    status: int
    invalid_fields: list[dict[str, str]] | None = None


ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "No token, or not one of this server."},
    402: {"model": Refusal, "description": "The key's budget is spent."},
    404: {"model": Refusal, "description": "No such model, prediction or file."},
    413: {"model": Refusal, "description": "Too large."},
    422: {"model": Refusal, "description": "An input is missing or cannot be used."},
    429: {"model": Refusal, "description": "Too many requests; see Retry-After."},
    503: {"model": Refusal, "description": "Not now; see Retry-After."},
}


async def prediction_of(call: Call, task: Task, *, is_held: bool = False) -> Prediction:
    """A task with its pictures, as far as it is."""
    outputs = await outputs_of(call, task)
    return to_prediction(task, call.links, outputs, call.service.tasks.progress(task), is_held=is_held)


async def outputs_of(call: Call, task: Task) -> list[str]:
    """Its pictures: links over https; else data URIs, because the clients make files of nothing else."""
    if call.links.base.startswith("https:"):
        return [call.links.file(output.file) for output in task.outputs]
    return [(await read_inline(call.service, output.file)).data_uri for output in task.outputs]
