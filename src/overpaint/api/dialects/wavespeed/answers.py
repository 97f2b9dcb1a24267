"""WaveSpeed's success envelopes, and reading the pictures that go into them as base64."""

from typing import Any

from pydantic import BaseModel

from overpaint.api.deps import Call
from overpaint.api.dialects.wavespeed.convert import BASE64, to_prediction
from overpaint.api.dialects.wavespeed.schemas import Prediction
from overpaint.api.inline import outputs_of
from overpaint.core.task import Task


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    code: int
    message: str


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "A parameter is missing or cannot be used; `data.code` is 1400 or 1401."},
    401: {"model": Refusal, "description": "No key, or not one of this server."},
    402: {"model": Refusal, "description": "The key's budget is spent."},
    404: {"model": Refusal, "description": "No such model or prediction."},
    409: {"model": Refusal, "description": "The prediction is not in a state that allows this."},
    413: {"model": Refusal, "description": "Too large."},
    429: {"model": Refusal, "description": "Too many requests; see Retry-After."},
    503: {"model": Refusal, "description": "Not now; see Retry-After."},
}


def success(data: Any) -> dict[str, Any]:
    """The envelope of anything that went well."""
    return {"code": 200, "message": "success", "data": data}


async def prediction_of(task: Task, call: Call) -> Prediction:
    """A task as WaveSpeed shows one, its pictures in the form that was asked for when it was submitted."""
    is_inline = task.spec.wording == BASE64
    return to_prediction(task, call.links, await outputs_of(task, call, is_inline=is_inline))
