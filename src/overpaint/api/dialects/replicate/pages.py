"""What the model pages of Replicate say: which inputs a model takes, their defaults, and whether it gives a list.

Pure. Source: https://replicate.com/qwen/{name}/api, for the versions named here. Models that have no page there, this
server's own among them (``overpaint/...``), take everything.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from overpaint.api.dialects.replicate.schemas import PaintingInput

OWNER = "overpaint"
MATCH = "match_input_image"
SHAPES = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")
COG_VERSION = "0.16.0"
_LORA = ("lora_weights", "replicate_weights", "lora_scale", "extra_lora_weights", "extra_lora_scale")
_OUTPUT = ("output_format", "output_quality", "disable_safety_checker", "go_fast")
_EDIT = ("prompt", "image", "aspect_ratio", "seed", *_OUTPUT)


@dataclass(frozen=True, slots=True)
class ModelPage:
    """What a model takes and gives.

    Args:
        inputs: names of its inputs.
        defaults: of those that have one.
        shapes: what `aspect_ratio` may be.
        takes_list: whether `image` is a list.
        gives_list: whether the output is one.
        version: id of the version; None makes one of the name.
    """

    inputs: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    shapes: tuple[str, ...] = SHAPES
    takes_list: bool = False
    gives_list: bool = True
    version: str | None = None


_WORDS = ModelPage(
    inputs=(
        "prompt",
        "negative_prompt",
        "image",
        "strength",
        "aspect_ratio",
        "image_size",
        "num_inference_steps",
        "guidance",
        "seed",
        "enhance_prompt",
        *_OUTPUT,
        *_LORA,
    ),
    defaults={"aspect_ratio": "16:9", "enhance_prompt": False, "output_format": "webp", "output_quality": 80},
    version="0bba9e70f78437359725e0989ead45ca8b09e6c12a070dfe9a09e6856b43a44d",
)
_EDIT_DEFAULTS = {"aspect_ratio": MATCH, "output_format": "webp", "output_quality": 95}
_EDIT_ONE = ModelPage(_EDIT, _EDIT_DEFAULTS, (MATCH, *SHAPES))
_EDIT_SOME = ModelPage(_EDIT, _EDIT_DEFAULTS, (MATCH, *SHAPES), takes_list=True)
_TWO = ModelPage(
    inputs=(
        "prompt",
        "image",
        "match_input_image",
        "aspect_ratio",
        "enable_prompt_expansion",
        "negative_prompt",
        "seed",
    ),
    defaults={"aspect_ratio": "1:1", "enable_prompt_expansion": True, "match_input_image": False},
    shapes=(*SHAPES, "2:1", "1:2"),
    gives_list=False,
)
_ANY = ModelPage(
    inputs=tuple(PaintingInput.model_fields), shapes=(MATCH, *SHAPES, "2:1", "1:2"), takes_list=True, gives_list=True
)
PAGES: Mapping[str, ModelPage] = {
    "qwen/qwen-image": _WORDS,
    "qwen/qwen-image-2512": ModelPage(_WORDS.inputs, _WORDS.defaults),
    "qwen/qwen-image-edit": _EDIT_ONE,
    "qwen/qwen-image-edit-plus": ModelPage(
        _EDIT,
        _EDIT_DEFAULTS,
        (MATCH, *SHAPES),
        takes_list=True,
        version="7677b9cc9967f7725fcf5e814a5a3446bf1d4b6ab0f9c15534dbbc54c7a088f2",
    ),
    "qwen/qwen-image-edit-2511": _EDIT_SOME,
    "qwen/qwen-image-2": ModelPage(
        _TWO.inputs,
        _TWO.defaults,
        _TWO.shapes,
        gives_list=False,
        version="266e594fa007032292c211586354fe193d7aa4e675a1eeb0aef0c6a424468ddd",
    ),
    "qwen/qwen-image-2-pro": _TWO,
}


def page_of(name: str) -> ModelPage:
    """What the model called ``owner/name`` takes."""
    return PAGES.get(name, _ANY)


def version_of(name: str) -> str:
    """The id of the one version that a model has here."""
    return page_of(name).version or hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def name_of_version(text: str, names: Iterable[str]) -> str | None:
    """The model that a version means: an id, ``owner/name``, or ``owner/name:id``; None when it is none of `names`."""
    name, colon, version = text.partition(":")
    if "/" in name:
        return name if not colon or version == version_of(name) else None
    return next((known for known in names if version_of(known) == text), None)


def openapi_schema(name: str) -> dict[str, Any]:
    """The document of a model: the schemas `Input` and `Output`, as Cog writes them."""
    page = page_of(name)
    uri = {"type": "string", "format": "uri"}
    output = {"title": "Output", "type": "array", "items": uri} if page.gives_list else {"title": "Output", **uri}
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {"schemas": {"Input": _input_schema(page), "Output": output}},
    }


def _input_schema(page: ModelPage) -> dict[str, Any]:
    whole = PaintingInput.model_json_schema()["properties"]
    properties = {name: _described(name, whole[name], page) | {"x-order": at} for at, name in enumerate(page.inputs)}
    return {"title": "Input", "type": "object", "required": ["prompt"], "properties": properties}


def _described(name: str, schema: dict[str, Any], page: ModelPage) -> dict[str, Any]:
    described = {key: value for key, value in schema.items() if key != "default"}
    if name == "image":
        uri = {"type": "string", "format": "uri"}
        described = {"title": "Image", "description": schema["description"]}
        described |= {"type": "array", "items": uri} if page.takes_list else uri
    if name == "aspect_ratio":
        described["enum"] = list(page.shapes)
    return described | ({"default": page.defaults[name]} if name in page.defaults else {})
