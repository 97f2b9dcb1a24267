"""WaveSpeed's own Python client. Source: https://github.com/WaveSpeedAI/wavespeed-python, 2.0.5."""

from typing import Any

from overpaint.playground.snippets.snippet import CodeRequest, Snippet, left_out, loras, python_key, python_value


def _render(request: CodeRequest) -> str:
    return f"""{_left_out(request)}import os

import wavespeed

client = wavespeed.Client(
    api_key={python_key(request)},
    base_url="{request.base}/wavespeed",
)
output = client.run(
    {request.draft.model!r},
    {python_value(_body(request))},
    enable_sync_mode=True,
)
for url in output["outputs"]:
    print(url)
"""


def _body(request: CodeRequest) -> dict[str, Any]:
    draft = request.draft
    fields: dict[str, Any] = {
        "prompt": draft.prompt,
        "negative_prompt": draft.negative_prompt,
        "images": list(request.pictures) or None,
        "size": str(request.size).replace("x", "*") if request.size else request.shape,
        "seed": draft.seed,
        "loras": loras(request),
        "output_format": draft.output.format,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _left_out(request: CodeRequest) -> str:
    draft = request.draft
    missing = {
        "mask": request.mask is not None,
        "num_images": draft.num_images > 1,
        "true_cfg_scale": (draft.true_cfg_scale or 1) > 1,
        "background": draft.output.background != "auto",
    }
    return left_out(missing)


PYTHON = Snippet("wavespeed", "Python · wavespeed", "python", "wavespeed", _render, "pip install wavespeed")
