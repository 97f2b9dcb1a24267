"""The OpenAPI description of a body that may be JSON or a form, which the framework cannot derive by itself."""

from typing import Any

from overpaint.api.json_body import inlined_schema
from overpaint.api.native.schemas import PROMPT, TaskIn

_FILE = {"type": "string", "format": "binary"}


def task_body() -> dict[str, Any]:
    """``requestBody`` of a submission."""
    schema = inlined_schema(TaskIn)
    form: dict[str, Any] = {
        "type": "object",
        "required": ["prompt"],
        "properties": {
            **{name: said for name, said in schema["properties"].items() if name != "output"},
            "images": {"type": "array", "items": _FILE, "description": "Picture files in order."},
            "mask": _FILE,
            **schema["properties"]["output"].get("properties", {}),
        },
    }
    examples = {
        "edit": {"value": {"model": "qwen-image-2.0", "prompt": PROMPT, "images": ["https://example.com/a.png"]}}
    }
    content = {"application/json": {"schema": schema, "examples": examples}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}
