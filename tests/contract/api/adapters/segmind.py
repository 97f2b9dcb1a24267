"""Segmind through its Python client: v2, submitted and polled. Its exceptions know the status and the text."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from segmind import SegmindClient, SegmindError
from segmind.v2 import AsyncJob

from tests.contract.api.adapters.frame import Asked, Refusal, Told
from tests.contract.api.conftest import RunningServer

SIDE = 1024
FIELDS = ("image", "image_1", "image_2", "image_3")


class SegmindAdapter:
    """See `frame.Adapter`."""

    name = "segmind"
    refusals: Mapping[str, Refusal] = {
        "no key": Refusal("SegmindError", 401, ("key",)),
        "wrong key": Refusal("SegmindError", 401, ("key",)),
        "no credit": Refusal("SegmindError", 406, ("this costs",)),
        "unknown model": Refusal("SegmindError", 404, ("nothing",)),
        "missing prompt": Refusal("SegmindError", 400, ("prompt: is required",)),
        "bad size": Refusal("SegmindError", 400, ("aspect_ratio: ",)),
        "unreadable picture": Refusal("SegmindError", 400, ("image: ",)),
        "unreachable URL": Refusal("SegmindError", 400, ("image: ", "http://127.0.0.1:9")),
        "too many pictures": Refusal("SegmindError", 400, ("image: 4 are too many",)),
        "rate limit": Refusal("SegmindError", 429, ("requests",)),
        "too many open tasks": Refusal("SegmindError", 429, ("open tasks",)),
        "engine failure": Refusal("InferenceFailed", None, ("on fire",)),
        "too large for the device": Refusal("InferenceFailed", None, ("would fit",)),
        "cancelled": Refusal("InferenceFailed", None, ("cancelled",)),
        "expired result": Refusal("SegmindError", 404, ("there is no task",)),
    }

    def paint(self, server: RunningServer, key: str | None, asked: Asked) -> bytes:
        body: dict[str, Any] = dict(zip(FIELDS, asked.pictures, strict=False))
        body |= {"seed": asked.seed, "steps": asked.steps, "image_format": "png"}
        body["aspect_ratio"] = "1:1" if asked.size == (SIDE, SIDE) else f"{asked.size[0]}:{asked.size[1]}"
        body |= {} if asked.prompt is None else {"prompt": asked.prompt}
        body |= {"lora": asked.lora} if asked.lora else {}
        with _client(server, key) as client:
            job = client.submit_async("qwen-image-edit-plus" if asked.is_known else "nothing", **body)
            return requests.get(job.wait(interval=0.05)["output"], timeout=30).content

    def result(self, server: RunningServer, key: str, task_id: str) -> object:
        url = f"{server.url}/segmind/v2/requests/{task_id}"
        with _client(server, key) as client:
            return AsyncJob(task_id, f"{url}/status", url, {}, client).result()

    def told(self, error: Exception) -> Told:
        assert isinstance(error, SegmindError)
        return Told(error.status, str(error.detail))


@contextmanager
def _client(server: RunningServer, key: str | None) -> Iterator[SegmindClient]:
    client = SegmindClient(api_key=key, base_url=f"{server.url}/segmind/v1")
    try:
        yield client
    finally:
        client._client.close()
