"""OpenAI's own Python client. Source: openai-python 3.52, images.generate and images.edit."""

from typing import Any

from overpaint.playground.snippets.snippet import CodeRequest, Snippet, left_out, python_key, python_value


def _render(request: CodeRequest) -> str:
    fields = ",\n".join(f"    {name}={text}" for name, text in _arguments(request).items())
    return f"""{left_out({"adapters": len(request.draft.adapters) > 1})}import base64
import os
from pathlib import Path
{"from urllib.request import urlopen" + chr(10) if request.pictures else ""}
from openai import OpenAI

client = OpenAI(api_key={python_key(request)}, base_url="{request.base}/openai/v1")
answer = client.images.{"edit" if request.pictures else "generate"}(
{fields},
)
for index, image in enumerate(answer.data):
    path = Path(f"picture-{{index}}.{request.draft.output.format}")
    path.write_bytes(base64.b64decode(image.b64_json))
    print(path)
"""


def _arguments(request: CodeRequest) -> dict[str, str]:
    """The call's arguments as Python expressions."""
    draft = request.draft
    given: dict[str, Any] = {
        "model": draft.model,
        "prompt": draft.prompt,
        "n": draft.num_images,
        "size": str(request.size) if request.size else "auto",
        "output_format": draft.output.format,
        "background": draft.output.background,
        "response_format": "b64_json",
        "extra_body": _extra(request),
    }
    arguments = {name: python_value(value) for name, value in given.items()}
    if request.pictures:
        pictures = (f'("{at}.png", urlopen({url!r}).read())' for at, url in enumerate(request.pictures, 1))
        arguments["image"] = f"[{', '.join(pictures)}]"
    if request.mask:
        arguments["mask"] = f'("mask.png", urlopen({request.mask!r}).read())'
    return arguments


def _extra(request: CodeRequest) -> dict[str, Any]:
    """What the client has no words for."""
    draft = request.draft
    first, *others = draft.adapters or (None,)
    fields: dict[str, Any] = {
        "seed": draft.seed,
        "negative_prompt": draft.negative_prompt,
        "num_inference_steps": draft.steps,
        "true_cfg_scale": draft.true_cfg_scale,
        "lora": {"name": first.source, "scale": first.scale} if first and not others else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


PYTHON = Snippet("openai", "Python · openai", "python", "openai", _render, "pip install openai")
