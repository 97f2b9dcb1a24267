"""Replicate's words to the service's. Pure: pictures arrive as sources; `tell` has the way back."""

import json
import re
from collections.abc import Mapping
from typing import Any

from overpaint.api.dialects.replicate.pages import MATCH, ModelPage, page_of
from overpaint.api.dialects.replicate.schemas import CreateInput, PaintingInput
from overpaint.api.errors import MissingFieldError
from overpaint.api.json_body import validated
from overpaint.api.names import pick, pick_format
from overpaint.api.public_url import Links
from overpaint.core.errors import RequestError
from overpaint.core.request import MAX_SEED, RANDOM_SEED, AdapterRef, OutputSpec
from overpaint.core.sizes import Size
from overpaint.service.catalogue import ModelEntry
from overpaint.service.draft import Draft, PictureSource

NAME = "replicate"
FAMILY = "replicate/"
MAX_HOLD_S = 58.0
"""Of a call that waits: the clients give up on one after 60 s."""
SPEED_PX = 1024
NO_NEGATIVE = " "
IMAGE_SIZES = ("optimize_for_quality", "optimize_for_speed")
MAX_IGNORED, MAX_IGNORED_CHARS = 20, 50
"""How much is told of inputs that the model does not have."""
_FILE_PATH = re.compile(rf"(?:/{NAME})?/v1/files/([0-9a-f]{{32}})(?:/download)?/?(?:[?#].*)?")
_WAIT = re.compile(r"\bwait(?:\s*=\s*(\d{1,9}))?")


def to_input(given: Mapping[str, Any], name: str) -> PaintingInput:
    """An input with the defaults of the model's page, without what is none of its inputs.

    Raises:
        RequestError: one has the wrong type.
    """
    page = page_of(name)
    said = {key: value for key, value in given.items() if value is not None and key in page.inputs}
    return validated(PaintingInput, {**page.defaults, **said})


def to_draft(
    body: PaintingInput, name: str, entry: ModelEntry, pictures: tuple[PictureSource, ...], given: Mapping[str, Any]
) -> Draft:
    """What was asked.

    Args:
        body: with the page's defaults.
        name: of the model, ``owner/name``.
        entry: what the catalogue knows of it.
        pictures: in order.
        given: the input as it was sent, to be told again.

    Raises:
        RequestError: an input is missing or cannot be honoured.
    """
    if body.prompt is None:
        raise MissingFieldError("prompt")
    if len(pictures) < entry.pictures.min_count:
        raise MissingFieldError("image")
    if body.strength is not None:
        raise RequestError("strength", body.strength, "cannot be honoured: a picture is edited, not painted over")
    guidance = None if body.guidance is None else max(1.0, body.guidance)
    is_guided = guidance is not None and guidance > 1
    return Draft(
        model=entry.id,
        prompt=body.prompt,
        dialect=NAME,
        negative_prompt=body.negative_prompt or (NO_NEGATIVE if is_guided else None),
        pictures=pictures,
        size=_shape(body, page_of(name)),
        seed=_seed(body.seed),
        num_images=1 if body.num_outputs is None else body.num_outputs,
        steps=body.num_inference_steps,
        true_cfg_scale=guidance,
        acceleration="regular" if body.go_fast else "none",
        adapters=_adapters(body),
        output=_output(body),
        enhance=body.enhance_prompt if body.enable_prompt_expansion is None else body.enable_prompt_expansion,
        wording=_wording(name, given),
    )


def to_webhook(body: CreateInput) -> str | None:
    """Where to tell of the end.

    Raises:
        RequestError: only of what this server does not tell.
    """
    url = body.webhook or body.webhook_completed
    events = body.webhook_events_filter
    if url and events is not None and "completed" not in events:
        raise RequestError("webhook_events_filter", ", ".join(events), "must have completed, which is all that is told")
    return url or None


def upload_id_of(text: str, links: Links) -> str | None:
    """The upload that a URL of this server's own Files API names; None when it is none, or of somebody else's."""
    found = _FILE_PATH.fullmatch(text.removeprefix(links.base)) if text.startswith(links.base) else None
    return found[1] if found else None


def hold_s(prefer: str | None) -> float:
    """How long a call with this ``Prefer`` header is to be held, in seconds."""
    found = _WAIT.search(prefer or "")
    if found is None:
        return 0.0
    return min(MAX_HOLD_S, max(1.0, float(found[1]))) if found[1] else MAX_HOLD_S


def _seed(asked: int | None) -> int:
    """Model pages name no largest seed: wider numbers are folded."""
    if asked is None:
        return RANDOM_SEED
    return asked if asked < 0 else asked % (MAX_SEED + 1)


def _shape(body: PaintingInput, page: ModelPage) -> Size | float | None:
    if body.match_input_image and body.image:
        return None
    if body.aspect_ratio is None or pick("aspect_ratio", body.aspect_ratio, page.shapes) == MATCH:
        return None
    width, height = (int(side) for side in body.aspect_ratio.split(":"))
    if pick("image_size", body.image_size or IMAGE_SIZES[0], IMAGE_SIZES) == IMAGE_SIZES[0]:
        return width / height
    scale = SPEED_PX / max(width, height)
    return Size(round(width * scale), round(height * scale))


def _adapters(body: PaintingInput) -> tuple[AdapterRef, ...]:
    scale = 1.0 if body.lora_scale is None else body.lora_scale
    first = [AdapterRef(source, scale) for source in (body.lora_weights, body.replicate_weights) if source]
    scales = [*body.extra_lora_scale, *[1.0] * len(body.extra_lora_weights)]
    return (*first, *(AdapterRef(source, scales[at]) for at, source in enumerate(body.extra_lora_weights) if source))


def _output(body: PaintingInput) -> OutputSpec:
    quality = 95 if body.output_quality is None else body.output_quality
    if not 0 <= quality <= 100:
        raise RequestError("output_quality", quality, "must be 0 to 100")
    return OutputSpec(pick_format("output_format", body.output_format or "png"), max(1, quality))


def _wording(name: str, given: Mapping[str, Any]) -> dict[str, str]:
    """What is told again: the inputs of the model but its pictures, and the names of what is none."""
    inputs = page_of(name).inputs
    told = {key: value for key, value in given.items() if key in inputs and key != "image"}
    ignored = [key[:MAX_IGNORED_CHARS] for key in given if key not in inputs][:MAX_IGNORED]
    wording = {"model": name, "input": json.dumps(told, sort_keys=True)}
    return wording | ({"ignored": json.dumps(ignored)} if ignored else {})
