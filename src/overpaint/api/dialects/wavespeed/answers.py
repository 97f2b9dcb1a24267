"""WaveSpeed's success envelopes, and reading the pictures that go into them as base64."""

import base64
from typing import Any

from pydantic import BaseModel

from overpaint.api.config import ApiConfig
from overpaint.api.dialects.wavespeed.convert import BASE64_OUTPUT, to_prediction
from overpaint.api.dialects.wavespeed.schemas import Prediction
from overpaint.api.public_url import Links
from overpaint.core.task import Task
from overpaint.service.service import Service


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


async def prediction_of(task: Task, service: Service, links: Links, config: ApiConfig) -> Prediction:
    """A task as WaveSpeed shows one, its pictures in the form that was asked for when it was submitted."""
    if task.dialect != BASE64_OUTPUT:
        return to_prediction(task, links, [links.file(output.file) for output in task.outputs])
    return to_prediction(task, links, [await _base64(service, output.file.key, config) for output in task.outputs])


async def _base64(service: Service, key: str, config: ApiConfig) -> str:
    content = await service.files.read(key)
    text = base64.b64encode(content.data).decode()
    return f"data:{content.media_type};base64,{text}" if config.is_base64_uri else text
