"""DashScope through its 2.x client: `images.generate` with pictures, one held call. Its exceptions know everything."""

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import dashscope
import requests
from dashscope.v2.errors import DashScopeError
from dashscope.v2.transport import _retry

from tests.contract.api.adapters.frame import Asked, Refusal, Told
from tests.contract.api.conftest import RunningServer

EDIT = "wan2.6-image"
INVALID = "code=InvalidParameter"


class DashScopeAdapter:
    """See `frame.Adapter`."""

    name = "dashscope"
    refusals: Mapping[str, Refusal] = {
        "no key": Refusal("AuthenticationError", 401, ("code=InvalidApiKey",)),
        "wrong key": Refusal("AuthenticationError", 401, ("code=InvalidApiKey",)),
        "no credit": Refusal("PermissionDeniedError", 400, ("code=Arrearage",)),
        "unknown model": Refusal("NotFoundError", 404, ("code=ModelNotFound",)),
        "missing prompt": Refusal("BadRequestError", 400, ("exactly one text", INVALID)),
        "bad size": Refusal("BadRequestError", 400, ("size: ", INVALID)),
        "unreadable picture": Refusal("BadRequestError", 400, ("content[1].image: ", INVALID)),
        "unreachable URL": Refusal(
            "BadRequestError", 400, ("content[1].image: ", "code=BadRequest.InputDownloadFailed")
        ),
        "too many pictures": Refusal("BadRequestError", 400, ("at most 4", INVALID)),
        "rate limit": Refusal("RateLimitError", 429, ("code=Throttling.RateQuota",)),
        "too many open tasks": Refusal("RateLimitError", 429, ("open tasks",)),
        "engine failure": Refusal("InternalServerError", 500, ("on fire", "code=InternalError")),
        "too large for the device": Refusal("BadRequestError", 400, ("would fit", "code=InvalidParameter")),
        "cancelled": Refusal("BadRequestError", 400, ("cancelled",)),
        "expired result": Refusal("LookupError", None, ("UNKNOWN",)),
    }

    def paint(self, server: RunningServer, key: str | None, asked: Asked) -> bytes:
        parameters = {"size": f"{asked.size[0]}x{asked.size[1]}", "seed": asked.seed}
        model = EDIT if asked.is_known else "wan2.6-image-nothing"
        with _client(server, key) as client, patch.object(_retry, "MAX_BACKOFF", 0.05):
            if asked.prompt is None:
                return self._without_words(client, model, asked)
            job = client.images.generate(
                model=model, prompt=asked.prompt, image_urls=list(asked.pictures), **parameters
            )
        return requests.get(job.image_urls[0], timeout=30).content

    def _without_words(self, client: Any, model: str, asked: Asked) -> bytes:
        """The client has no way to leave the words out of a painting call; a job's input is the caller's own."""
        messages = [{"role": "user", "content": [{"image": image} for image in asked.pictures]}]
        client.images.jobs._generation.create(model=model, input={"messages": messages})
        return b""

    def result(self, server: RunningServer, key: str, task_id: str) -> object:
        """What is gone is a status there, not an exception; whoever asks for its picture gets none."""
        with _client(server, key) as client:
            job = client.images.jobs.fetch(task_id)
        if not job.image_urls:
            raise LookupError(job.status)
        return job

    def told(self, error: Exception) -> Told:
        return Told(error.status_code if isinstance(error, DashScopeError) else None, str(error))


def _client(server: RunningServer, key: str | None) -> Any:
    return dashscope.Client(api_key=key, base_url=f"{server.url}/dashscope/api/v1")
