"""fal's own Python client, which speaks https only. Source: fal_client 1.0.3; fal's endpoints of Qwen-Image."""

from typing import Any
from urllib.parse import urlsplit

from overpaint.playground.snippets.snippet import CodeRequest, Snippet, left_out, loras, python_key, python_value

MAX_LORAS = 3
_NO_TLS = "# fal-client speaks https only: serve with --tls-self-signed, and set SSL_CERT_FILE to the certificate.\n"


def _render(request: CodeRequest) -> str:
    parts = urlsplit(request.base)
    endpoint, fields = _asked(request)
    unsaid = left_out({"adapters": bool(request.draft.adapters) and not _takes_adapters(request)})
    return f"""{unsaid}{_NO_TLS if parts.scheme == "http" else ""}import os

os.environ["FAL_KEY"] = {python_key(request)}
os.environ["FAL_RUN_HOST"] = "{parts.netloc}{parts.path}/fal/run"
os.environ["FAL_QUEUE_RUN_HOST"] = "{parts.netloc}{parts.path}/fal/queue"

import fal_client

result = fal_client.subscribe(
    "{endpoint}",
    {python_value(fields)},
)
for image in result["images"]:
    print(image["url"])
"""


def _asked(request: CodeRequest) -> tuple[str, dict[str, Any]]:
    """The endpoint that does this, and its input."""
    draft = request.draft
    size = request.size
    fields: dict[str, Any] = {
        "prompt": draft.prompt,
        "negative_prompt": draft.negative_prompt,
        "image_size": {"width": size.width, "height": size.height} if size else None,
        "num_images": min(draft.num_images, 4),
        "num_inference_steps": draft.steps,
        "guidance_scale": draft.true_cfg_scale,
        "seed": draft.seed if draft.seed >= 0 else None,
        "loras": loras(request) if _takes_adapters(request) else None,
        "output_format": draft.output.format,
    }
    if request.mask:
        endpoint, fields["image_url"], fields["mask_url"] = "qwen-image-edit/inpaint", request.pictures[0], request.mask
    elif request.pictures:
        endpoint = "qwen-image-edit-plus-lora" if fields["loras"] else "qwen-image-edit-plus"
        fields["image_urls"] = list(request.pictures)
    else:
        endpoint = "qwen-image"
    return f"fal-ai/{endpoint}", {name: value for name, value in fields.items() if value is not None}


def _takes_adapters(request: CodeRequest) -> bool:
    """Whether their API has room for all adapters, at their strengths."""
    adapters = request.draft.adapters
    return not request.mask and len(adapters) <= MAX_LORAS and all(one.scale >= 0 for one in adapters)


PYTHON = Snippet("fal", "Python · fal-client", "python", "fal", _render, "pip install fal-client")
