"""Replicate through its Python client. A cancelled run has no output, which is no error until somebody reads it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from replicate import Client
from replicate.exceptions import ReplicateError

from tests.contract.api.adapters.frame import Asked, Refusal, Told
from tests.contract.api.conftest import RunningServer

PLUS = "qwen/qwen-image-edit-plus"


class ReplicateAdapter:
    """See `frame.Adapter`."""

    name = "replicate"
    refusals: Mapping[str, Refusal] = {
        "no key": Refusal("ReplicateError", 401, ("Unauthenticated",)),
        "wrong key": Refusal("ReplicateError", 401, ("Unauthenticated",)),
        "no credit": Refusal("ReplicateError", 402, ("Insufficient credit",)),
        "unknown model": Refusal("ReplicateError", 404, ("Not found", "nothing")),
        "missing prompt": Refusal("ReplicateError", 422, ("- input: prompt is required",)),
        "bad size": Refusal("ReplicateError", 422, ("- input.aspect_ratio: ",)),
        "unreadable picture": Refusal("ReplicateError", 422, ("- input.image: ",)),
        "unreachable URL": Refusal("ReplicateError", 422, ("- input.image: ", "http://127.0.0.1:9")),
        "too many pictures": Refusal("ReplicateError", 422, ("- input.image: 11 are too many",)),
        "rate limit": Refusal("ReplicateError", 429, ("Request was throttled. Your rate limit resets in ~",)),
        "too many open tasks": Refusal("ReplicateError", 429, ("open tasks",)),
        "engine failure": Refusal("ModelError", None, ("on fire",)),
        "too large for the device": Refusal("ModelError", None, ("would fit",)),
        "cancelled": Refusal("TypeError", None, ("NoneType",)),
        "expired result": Refusal("ReplicateError", 404, ("there is no task",)),
    }

    def paint(self, server: RunningServer, key: str | None, asked: Asked) -> bytes:
        width, height = asked.size
        body: dict[str, Any] = {
            "image": list(asked.pictures),
            "aspect_ratio": "1:1" if width == height == 1024 else f"{width}:{height}",
            "seed": asked.seed,
            "output_format": "png",
        } | ({} if asked.prompt is None else {"prompt": asked.prompt})
        name = PLUS if asked.is_known else "qwen/nothing"  # takes no steps
        if asked.steps != Asked.steps:
            name, body["num_inference_steps"] = "overpaint/qwen-image-2.0", asked.steps
        if asked.lora:
            name, body["lora_weights"] = "overpaint/qwen-image-2.0", asked.lora
        with _client(server, key) as client:
            output: Any = client.run(name, input=body)
            return output[0].read()

    def result(self, server: RunningServer, key: str, task_id: str) -> object:
        with _client(server, key) as client:
            return client.predictions.get(task_id)

    def told(self, error: Exception) -> Told:
        return Told(error.status if isinstance(error, ReplicateError) else None, str(error))


@contextmanager
def _client(server: RunningServer, key: str | None) -> Iterator[Client]:
    client = Client(api_token=key, base_url=f"{server.url}/replicate")
    try:
        yield client
    finally:
        client._client.close()
