"""AtlasCloud has no client: `requests` as its documents show it. A failed prediction is whatever the script raises."""

import time
from collections.abc import Mapping
from typing import Any

import requests

from tests.contract.api.adapters.frame import Asked, Refusal, Told
from tests.contract.api.conftest import RunningServer

EDIT = "qwen/qwen-image-2.0/edit"


class AtlasAdapter:
    """See `frame.Adapter`."""

    name = "atlas"
    refusals: Mapping[str, Refusal] = {
        "no key": Refusal("HTTPError", 401, ('"code": 401',)),
        "wrong key": Refusal("HTTPError", 401, ('"code": 401',)),
        "no credit": Refusal("HTTPError", 402, ('"code": 402',)),
        "unknown model": Refusal("HTTPError", 404, ('"code": 404', "model")),
        "missing prompt": Refusal("HTTPError", 400, ("prompt: is required",)),
        "bad size": Refusal("HTTPError", 400, ("size: ",)),
        "unreadable picture": Refusal("HTTPError", 400, ("images[0]",)),
        "unreachable URL": Refusal("HTTPError", 400, ("images[0]",)),
        "too many pictures": Refusal("HTTPError", 400, ("at most 6",)),
        "rate limit": Refusal("HTTPError", 429, ('"code": 429',)),
        "too many open tasks": Refusal("HTTPError", 429, ("open tasks",)),
        "engine failure": Refusal("RuntimeError", None, ("on fire",)),
        "too large for the device": Refusal("RuntimeError", None, ("would fit",)),
        "cancelled": Refusal("RuntimeError", None, ("cancelled",)),
        "expired result": Refusal("HTTPError", 404, ("there is no task",)),
    }

    def paint(self, server: RunningServer, key: str | None, asked: Asked) -> bytes:
        body: dict[str, Any] = {
            "model": EDIT if asked.is_known else "qwen/nothing",
            "images": list(asked.pictures),
            "size": f"{asked.size[0]}*{asked.size[1]}",
            "seed": asked.seed,
            "steps": asked.steps,
        } | ({} if asked.prompt is None else {"prompt": asked.prompt})
        url = f"{server.url}/atlas/api/v1/model/generateImage"
        answer = requests.post(url, json=body, headers=_headers(key), timeout=60)
        answer.raise_for_status()
        data = answer.json()["data"]
        while data["status"] == "processing":
            time.sleep(0.05)
            data = requests.get(data["urls"]["get"], headers=_headers(key), timeout=30).json()["data"]
        if data["status"] == "failed":
            raise RuntimeError(data["error"])
        return requests.get(data["outputs"][0], timeout=30).content

    def result(self, server: RunningServer, key: str, task_id: str) -> object:
        url = f"{server.url}/atlas/api/v1/model/prediction/{task_id}"
        answer = requests.get(url, headers=_headers(key), timeout=30)
        answer.raise_for_status()
        return answer.json()

    def told(self, error: Exception) -> Told:
        if isinstance(error, requests.HTTPError) and error.response is not None:
            return Told(error.response.status_code, error.response.text)
        return Told(None, str(error))


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
