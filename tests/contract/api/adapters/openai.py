"""OpenAI's Images API through its Python client, whose retries and exceptions stay as they are."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openai
from openai import OpenAI

from tests.contract.api.adapters.frame import Asked, Refusal, Told
from tests.contract.api.conftest import RunningServer

MODEL = "gpt-image-1"


class OpenAIAdapter:
    """See `frame.Adapter`. Pictures go as JSON, because a form has files only."""

    name = "openai"
    refusals: Mapping[str, Refusal] = {
        "no key": Refusal("OpenAIError", None, ("api_key",)),
        "wrong key": Refusal("AuthenticationError", 401, ("invalid_api_key",)),
        "no credit": Refusal("RateLimitError", 429, ("insufficient_quota",)),
        "unknown model": Refusal("NotFoundError", 404, ("model_not_found", "'param': 'model'")),
        "missing prompt": Refusal("BadRequestError", 400, ("missing_required_parameter", "'param': 'prompt'")),
        "bad size": Refusal("BadRequestError", 400, ("invalid_value", "'param': 'size'")),
        "unreadable picture": Refusal("BadRequestError", 400, ("invalid_image_file", "'param': 'images[0].image_url'")),
        "unreachable URL": Refusal("BadRequestError", 400, ("invalid_image_url", "'param': 'images[0].image_url'")),
        "too many pictures": Refusal("BadRequestError", 400, ("at most 10", "'param': 'image'")),
        "rate limit": Refusal("RateLimitError", 429, ("rate_limit_exceeded",)),
        "too many open tasks": Refusal("RateLimitError", 429, ("rate_limit_exceeded",)),
        "engine failure": Refusal("InternalServerError", 500, ("on fire", "server_error")),
        "too large for the device": Refusal("BadRequestError", 400, ("would fit", "invalid_value")),
        "cancelled": Refusal("ConflictError", 409, ("cancelled",)),
        "expired result": Refusal("NotFoundError", 404, ("not_found",)),
    }

    def paint(self, server: RunningServer, key: str | None, asked: Asked) -> bytes:
        body: dict[str, Any] = {
            "model": MODEL if asked.is_known else "nothing",
            "images": [{"image_url": picture} for picture in asked.pictures],
            "size": f"{asked.size[0]}x{asked.size[1]}",
            "seed": asked.seed,
            "num_inference_steps": asked.steps,
        } | ({} if asked.prompt is None else {"prompt": asked.prompt})
        body |= {"lora": {"path": asked.lora, "scale": 1}} if asked.lora else {}
        with _client(server, key) as client:
            answer: Any = client.post("/images/edits", body=body, cast_to=object)
        return base64.b64decode(answer["data"][0]["b64_json"])

    def result(self, server: RunningServer, key: str, task_id: str) -> object:
        with _client(server, key) as client:
            return client.get(f"/images/{task_id}/content", cast_to=object)

    def told(self, error: Exception) -> Told:
        if isinstance(error, openai.APIStatusError):
            return Told(error.status_code, f"{error.message} {error.body}")
        return Told(None, str(error))


@contextmanager
def _client(server: RunningServer, key: str | None) -> Iterator[OpenAI]:
    with OpenAI(api_key=key, base_url=f"{server.url}/openai/v1") as client:
        client._calculate_retry_timeout = lambda *_, **__: 0.01
        yield client
