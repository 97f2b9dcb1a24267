"""OpenAI's own Python client. Source: openai-python 3.52, images.generate and images.edit."""

from typing import Any

from overpaint.playground.snippets.snippet import CodeRequest, Snippet, left_out, python_key, python_value

_HOLES = """from PIL import Image, ImageOps  # pip install pillow


def holes(mask: bytes) -> io.BytesIO:
    \"\"\"This API wants a mask transparent where the picture may change; this one is white there.\"\"\"
    white = Image.open(io.BytesIO(mask)).convert("L")
    picture = Image.new("RGBA", white.size)
    picture.putalpha(ImageOps.invert(white))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file

"""


def _render(request: CodeRequest) -> str:
    fields = ",\n".join(f"    {name}={text}" for name, text in _arguments(request).items())
    return f"""{left_out({"adapters": len(request.draft.adapters) > 1})}import base64
{"import io" + chr(10) if request.mask else ""}import os
from pathlib import Path
{"from urllib.request import urlopen" + chr(10) if request.pictures else ""}
from openai import OpenAI
{_HOLES if request.mask else ""}
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
        arguments["mask"] = f'("mask.png", holes(urlopen({request.mask!r}).read()))'
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
