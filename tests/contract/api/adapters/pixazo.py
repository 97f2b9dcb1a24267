"""Pixazo has no client: `requests`, whose `raise_for_status` is what its users' scripts see. Held calls."""

from collections.abc import Mapping
from typing import Any

import requests

from tests.contract.api.adapters.frame import Asked, Refusal, Told
from tests.contract.api.conftest import RunningServer

EDIT = "qwen-image-edit-plus/v1/qwen-image-edit-plus-lora/generate"


class PixazoAdapter:
    """See `frame.Adapter`."""

    name = "pixazo"
    refusals: Mapping[str, Refusal] = {
        "no key": Refusal("HTTPError", 401, ('"error"',)),
        "wrong key": Refusal("HTTPError", 401, ('"error"',)),
        "no credit": Refusal("HTTPError", 402, ('"error"',)),
        "unknown model": Refusal("HTTPError", 404, ('"error"',)),
        "missing prompt": Refusal("HTTPError", 400, ("prompt: is required",)),
        "bad size": Refusal("HTTPError", 400, ("image_size",)),
        "unreadable picture": Refusal("HTTPError", 400, ("image_urls[0]",)),
        "unreachable URL": Refusal("HTTPError", 400, ("image_urls[0]",)),
        "too many pictures": Refusal("HTTPError", 400, ("image_urls: 11 are too many",)),
        "rate limit": Refusal("HTTPError", 429, ('"error"',)),
        "too many open tasks": Refusal("HTTPError", 429, ("open tasks",)),
        "engine failure": Refusal("HTTPError", 500, ("on fire",)),
        "too large for the device": Refusal("HTTPError", 400, ("would fit",)),
        "cancelled": Refusal("HTTPError", 409, ("cancelled",)),
        "expired result": Refusal("HTTPError", 404, ("there is no task",)),
    }

    def paint(self, server: RunningServer, key: str | None, asked: Asked) -> bytes:
        body: dict[str, Any] = {
            "image_urls": list(asked.pictures),
            "image_size": {"width": asked.size[0], "height": asked.size[1]},
            "seed": asked.seed,
            "num_inference_steps": asked.steps,
        } | ({} if asked.prompt is None else {"prompt": asked.prompt})
        body |= {"loras": [{"path": asked.lora, "scale": 1}]} if asked.lora else {}
        path = EDIT if asked.is_known else "qwen-image-nothing/v1/nothing"
        answer = requests.post(f"{server.url}/pixazo/{path}", json=body, headers=_headers(key), timeout=60)
        answer.raise_for_status()
        return requests.get(answer.json()["images"][0]["url"], timeout=30).content

    def result(self, server: RunningServer, key: str, task_id: str) -> object:
        url = f"{server.url}/pixazo/v2/requests/status/qwen-image-edit-plus_{task_id}"
        answer = requests.get(url, headers=_headers(key), timeout=30)
        answer.raise_for_status()
        return answer.json()

    def told(self, error: Exception) -> Told:
        assert isinstance(error, requests.HTTPError)
        assert error.response is not None
        return Told(error.response.status_code, error.response.text)


def _headers(key: str | None) -> dict[str, str]:
    return {"Ocp-Apim-Subscription-Key": key} if key else {}
