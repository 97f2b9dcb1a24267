"""WaveSpeed through its Python client. Its exceptions are RuntimeErrors whose text has ``HTTP <status>: <body>``."""

import re
from collections.abc import Mapping
from typing import Any

import requests
from wavespeed import Client

from tests.contract.api.adapters.frame import Asked, Refusal, Told
from tests.contract.api.conftest import RunningServer

EDIT = "wavespeed-ai/qwen-image-2.0/edit"


class WaveSpeedAdapter:
    """See `frame.Adapter`."""

    name = "wavespeed"
    refusals: Mapping[str, Refusal] = {
        "no key": Refusal("ValueError", None, ("API key",)),
        "wrong key": Refusal("RuntimeError", 401, ('"code": 401',)),
        "no credit": Refusal("RuntimeError", 402, ('"code": 402',)),
        "unknown model": Refusal("RuntimeError", 404, ('"code": 404',)),
        "missing prompt": Refusal("RuntimeError", 400, ("prompt: is required", '"code": 1400')),
        "bad size": Refusal("RuntimeError", 400, ("size: ", '"code": 1401')),
        "unreadable picture": Refusal("RuntimeError", 400, ("images[0]", '"code": 1401')),
        "unreachable URL": Refusal("RuntimeError", 400, ("images[0]", '"code": 1402')),
        "too many pictures": Refusal("RuntimeError", 400, ("at most 6", '"code": 1401')),
        "rate limit": Refusal("RuntimeError", 429, ('"code": 429',)),
        "too many open tasks": Refusal("RuntimeError", 429, ('"code": 429',)),
        "engine failure": Refusal("RuntimeError", None, ("on fire",)),
        "too large for the device": Refusal("RuntimeError", None, ("would fit",)),
        "cancelled": Refusal("RuntimeError", None, ("cancelled",)),
        "expired result": Refusal("RuntimeError", 404, ('"code": 404',)),
    }

    def paint(self, server: RunningServer, key: str | None, asked: Asked) -> bytes:
        client = Client(api_key=key, base_url=server.wavespeed, retry_interval=0.05)
        body: dict[str, Any] = {
            "images": list(asked.pictures),
            "size": f"{asked.size[0]}*{asked.size[1]}",
            "seed": asked.seed,
        } | ({} if asked.prompt is None else {"prompt": asked.prompt})
        body |= {"loras": [{"path": asked.lora, "scale": 1}]} if asked.lora else {}
        model = EDIT if asked.is_known else "wavespeed-ai/nothing"
        (url,) = client.run(model, body, poll_interval=0.05)["outputs"]
        return requests.get(url, timeout=30).content

    def result(self, server: RunningServer, key: str, task_id: str) -> object:
        return Client(api_key=key, base_url=server.wavespeed).get_result(task_id)

    def told(self, error: Exception) -> Told:
        found = re.search(r"HTTP (\d+)", str(error))
        return Told(int(found[1]) if found else None, str(error))
