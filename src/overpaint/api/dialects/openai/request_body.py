"""The OpenAPI description of a body that may be JSON or a form with files."""

from typing import Any

from overpaint.api.dialects.openai.schemas import ImageInput
from overpaint.api.json_body import described_body, inlined_schema

_FILE = {"type": "string", "format": "binary"}
_TEXTS = ("prompt", "model", "n", "size", "quality", "output_format", "response_format", "seed", "negative_prompt")


def image_body(example: dict[str, Any]) -> dict[str, Any]:
    """``openapi_extra`` of the three calls."""
    described = described_body(ImageInput, example)
    fields = inlined_schema(ImageInput)["properties"]
    described["requestBody"]["content"]["multipart/form-data"] = {
        "schema": {
            "type": "object",
            "properties": {
                **{name: fields[name] for name in _TEXTS},
                "image[]": {"type": "array", "items": _FILE, "description": "Picture files in order."},
                "mask": _FILE,
            },
        }
    }
    return described


GENERATION = image_body({"prompt": "a red apple", "size": "1024x1024"})
EDIT = image_body({"prompt": "make it blue", "images": [{"image_url": "https://example.com/apple.png"}]})
