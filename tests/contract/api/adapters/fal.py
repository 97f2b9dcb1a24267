"""fal through its Python client and its queue. Its one exception for answers is FalClientHTTPError."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx

from tests.contract.api.adapters.frame import Asked, Refusal, Told
from tests.contract.api.conftest import RunningServer
from tests.contract.api.fal_client_at import fal_client, fal_client_at

EDIT = "fal-ai/qwen-image-edit-plus"
HTTP = "FalClientHTTPError"


class FalAdapter:
    """See `frame.Adapter`."""

    name = "fal"
    refusals: Mapping[str, Refusal] = {
        "no key": Refusal("MissingCredentialsError", None, ("FAL_KEY",)),
        "wrong key": Refusal(HTTP, 401, ("not valid",)),
        "no credit": Refusal(HTTP, 402, ("this month",)),
        "unknown model": Refusal(HTTP, 404, ('Application "fal-ai/nothing" not found',)),
        "missing prompt": Refusal(HTTP, 422, ('"loc": ["body", "prompt"]', '"type": "missing"', "Field required")),
        "bad size": Refusal(HTTP, 422, ('"loc": ["body", "image_size"', '"type": "less_than_equal"')),
        "unreadable picture": Refusal(HTTP, 422, ('"loc": ["body", "image_urls", 0]', '"type": "image_load_error"')),
        "unreachable URL": Refusal(HTTP, 422, ('"loc": ["body", "image_urls", 0]', '"type": "file_download_error"')),
        "too many pictures": Refusal(HTTP, 422, ('"loc": ["body", "image_urls"]', '"type": "sequence_too_long"')),
        "rate limit": Refusal(HTTP, 429, ("requests a minute",)),
        "too many open tasks": Refusal(HTTP, 429, ("open tasks",)),
        "engine failure": Refusal(HTTP, 500, ("on fire", "internal_server_error")),
        "too large for the device": Refusal(HTTP, 422, ("would fit", "value_error")),
        "cancelled": Refusal(HTTP, 499, ("Request was cancelled",)),
        "expired result": Refusal(HTTP, 404, ("there is no task",)),
    }

    def paint(self, server: RunningServer, key: str | None, asked: Asked) -> bytes:
        body: dict[str, Any] = {
            "image_urls": list(asked.pictures),
            "image_size": {"width": asked.size[0], "height": asked.size[1]},
            "seed": asked.seed,
            "num_inference_steps": asked.steps,
        } | ({} if asked.prompt is None else {"prompt": asked.prompt})
        endpoint = EDIT if asked.is_known else "fal-ai/nothing"
        if asked.lora:
            endpoint, body["loras"] = f"{EDIT}-lora", [{"path": asked.lora, "scale": 1}]
        with _hurried(server, key) as client:
            result = client.subscribe(endpoint, body)
        return httpx.get(result["images"][0]["url"]).content

    def result(self, server: RunningServer, key: str, task_id: str) -> object:
        with _hurried(server, key) as client:
            return client.result(EDIT, task_id)

    def told(self, error: Exception) -> Told:
        message: Any = getattr(error, "message", str(error))
        text = message if isinstance(message, str) else json.dumps(message)
        return Told(getattr(error, "status_code", None), f"{text} {error}")


@contextmanager
def _hurried(server: RunningServer, key: str | None) -> Iterator[Any]:
    """Its ten tries would take a minute; the pauses between them are shortened, the tries stay."""
    with patch.object(fal_client_at(server.url).client, "BASE_DELAY", 0.001), fal_client(server.url, key) as client:
        yield client
