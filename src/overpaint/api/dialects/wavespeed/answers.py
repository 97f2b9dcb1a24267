"""WaveSpeed's success envelopes, and reading the pictures that go into them as base64."""

from typing import Any

from pydantic import BaseModel

from overpaint.api.deps import Call
from overpaint.api.dialects.wavespeed.convert import BASE64, to_prediction
from overpaint.api.dialects.wavespeed.schemas import Prediction
from overpaint.api.inline import outputs_of
from overpaint.api.refusals import refusals
from overpaint.core.task import Task


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    code: int
    message: str


ERRORS = refusals(Refusal, 400, 401, 402, 404, 409, 413, 429, 503)


def success(data: Any) -> dict[str, Any]:
    """The envelope of anything that went well."""
    return {"code": 200, "message": "success", "data": data}


async def prediction_of(task: Task, call: Call) -> Prediction:
    """A task as WaveSpeed shows one, its pictures in the form that was asked for when it was submitted."""
    is_inline = task.spec.wording == BASE64
    return to_prediction(task, call.links, await outputs_of(task, call, is_inline=is_inline))
