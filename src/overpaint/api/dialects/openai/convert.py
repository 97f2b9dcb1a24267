"""OpenAI's words to the service's and back. Pure: pictures arrive as sources, links and base64 as values."""

import math
from dataclasses import dataclass
from typing import Literal

from overpaint.api.dialects.openai.schemas import (
    Image,
    ImageInput,
    ImagesAnswer,
    InputTokens,
    LoraRef,
    Quality,
    Usage,
)
from overpaint.api.errors import MissingFieldError
from overpaint.api.named_sizes import size_of_sides
from overpaint.api.names import pick
from overpaint.core.errors import RequestError
from overpaint.core.request import BACKGROUNDS, MAX_SEED, OUTPUT_FORMATS, RANDOM_SEED, AdapterRef, OutputSpec
from overpaint.core.task import StoredFile, Task
from overpaint.service.catalogue import ModelEntry
from overpaint.service.draft import Draft, PictureSource

NAME = "openai"
FAMILY = "openai/"
Kind = Literal["generation", "edit", "variation"]
ResponseFormat = Literal["b64_json", "url", "file"]

RESPONSE_FORMATS: tuple[ResponseFormat, ...] = ("b64_json", "url", "file")
QUALITIES: dict[str, Quality] = {
    "auto": "high",
    "low": "low",
    "medium": "medium",
    "standard": "high",
    "high": "high",
    "hd": "high",
    "xhigh": "high",
    "max": "high",
}
STEP_SHARES: dict[Quality, float] = {"low": 0.5, "medium": 0.75, "high": 1.0}
"""Of the model's own steps."""
OLDER_MODELS = "dall-e-"
"""They, and variations, which were theirs, answer with links unless asked otherwise: their scripts read no others."""
VARIATION = "Paint this picture again with small differences, in the same style."
MAX_PARTIAL_IMAGES = 3
NO_NEGATIVE = " "
PIXELS_PER_TOKEN = 16 * 16
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the answer is to look.

    Args:
        response_format: where its pictures are.
        quality: that was resolved.
        is_stream: whether it comes as events.
        partial_images: looks at each picture while it is painted, at most.
        safety_identifier: comes back.
    """

    response_format: ResponseFormat = "b64_json"
    quality: Quality = "high"
    is_stream: bool = False
    partial_images: int = 0
    safety_identifier: str | None = None


def to_draft(
    body: ImageInput,
    entry: ModelEntry,
    kind: Kind,
    pictures: tuple[PictureSource, ...],
    mask: PictureSource | None = None,
    mask_image: PictureSource | None = None,
) -> Draft:
    """What was asked.

    Args:
        body: its fields.
        entry: the model.
        kind: which of the three calls.
        pictures: in order.
        mask: transparent where the first picture may change.
        mask_image: likewise; an opaque one is white there.

    Raises:
        RequestError: a field is missing or cannot be honoured.
    """
    prompt = body.prompt if kind != "variation" else body.prompt or VARIATION
    if prompt is None:
        raise MissingFieldError("prompt")
    if kind != "generation" and not pictures:
        raise MissingFieldError("image")
    for name, value in body.unsupported.items():
        raise RequestError(name, value, "is not something this server can paint")
    guidance = _guidance(body)
    is_guided = guidance is not None and guidance > 1
    return Draft(
        model=entry.id,
        prompt=prompt,
        dialect=NAME,
        negative_prompt=body.negative_prompt or (NO_NEGATIVE if is_guided else None),
        pictures=pictures,
        mask=mask or mask_image,
        mask_meaning="holes" if mask else "either",
        size=size_of_sides(body.width, body.height) or (None if body.size in (None, "", "auto") else body.size),
        seed=_seed(body),
        num_images=1 if body.n is None else body.n,
        steps=_steps(body, entry),
        true_cfg_scale=guidance,
        acceleration="regular" if body.enable_teacache or body.enable_cache_dit else "none",
        adapters=_adapters(body.lora),
        output=_output(body),
        enhance=body.enhance_prompt,
    )


def to_wanted(body: ImageInput, kind: Kind) -> Wanted:
    """How the answer is to look.

    Raises:
        RequestError: not like that.
    """
    is_older = kind == "variation" or (body.model or "").startswith(OLDER_MODELS)
    unsaid = "url" if is_older and not body.stream else "b64_json"
    wanted = Wanted(
        pick("response_format", body.response_format or unsaid, RESPONSE_FORMATS),
        resolved_quality(body),
        bool(body.stream),
        body.partial_images or 0,
        body.safety_identifier or body.user or None,
    )
    if not 0 <= wanted.partial_images <= MAX_PARTIAL_IMAGES:
        raise RequestError("partial_images", wanted.partial_images, f"must be 0 to {MAX_PARTIAL_IMAGES}")
    if wanted.is_stream and (wanted.response_format != "b64_json" or kind == "variation"):
        raise RequestError("stream", True, "goes with b64_json only, and not with variations")
    return wanted


def resolved_quality(body: ImageInput) -> Quality:
    """What `auto` and the older names mean here.

    Raises:
        RequestError: it is no quality.
    """
    asked = (body.quality or "auto").lower()
    if asked not in QUALITIES:
        raise RequestError("quality", asked, f"must be one of {', '.join(QUALITIES)}")
    return QUALITIES[asked]


def to_answer(task: Task, wanted: Wanted, images: list[Image], *, is_transparent: bool) -> ImagesAnswer:
    """A painted task.

    Args:
        task: it.
        wanted: how the answer is to look.
        images: its pictures as they are to be sent.
        is_transparent: whether they have transparency.
    """
    revised = task.spec.enhanced_prompt
    return ImagesAnswer(
        id=task.id,
        created=created_at(task),
        background="transparent" if is_transparent else "opaque",
        output_format=task.spec.output.format,
        quality=wanted.quality,
        size=size_of(task.outputs[0].file),
        data=[image.model_copy(update={"revised_prompt": revised}) for image in images],
        usage=usage_of(task),
        safety_identifier=wanted.safety_identifier,
    )


def created_at(task: Task) -> int:
    """When the pictures were there, in Unix seconds."""
    return int((task.finished_at or task.created_at).timestamp())


def size_of(file: StoredFile) -> str:
    """``"1024x768"``."""
    return f"{file.width}x{file.height}"


def usage_of(task: Task) -> Usage:
    """Tokens: of pictures, the model's own count of 16x16 pixels each; of words, an estimate of 4 characters each."""
    spec = task.spec
    words = math.ceil(len(spec.prompt) / CHARS_PER_TOKEN)
    seen, painted = (_picture_tokens(files) for files in (spec.pictures, [output.file for output in task.outputs]))
    return Usage(
        total_tokens=words + seen + painted,
        input_tokens=words + seen,
        output_tokens=painted,
        input_tokens_details=InputTokens(text_tokens=words, image_tokens=seen),
        output_tokens_details=InputTokens(text_tokens=0, image_tokens=painted),
    )


def _picture_tokens(files: "tuple[StoredFile, ...] | list[StoredFile]") -> int:
    return sum(math.ceil(file.width * file.height / PIXELS_PER_TOKEN) for file in files)


def _seed(body: ImageInput) -> int:
    """One number; a list must be what this server uses anyway. Wider numbers, as other engines take, are folded."""
    seeds = body.seed if isinstance(body.seed, list) else [body.seed]
    first, *others = seeds or [None]
    if first is None or first == RANDOM_SEED:
        return RANDOM_SEED
    if first < 0:
        raise RequestError("seed", first, f"must not be below 0, or {RANDOM_SEED} for a fresh one")
    if others != [first + index for index in range(1, len(others) + 1)]:
        raise RequestError("seed", body.seed, "must be one number; picture i is painted with seed + i")
    return first % (MAX_SEED + 1)


def _steps(body: ImageInput, entry: ModelEntry) -> int | None:
    """As asked; else the model's own, fewer at a lower quality."""
    if body.num_inference_steps is not None or entry.steps is None:
        return body.num_inference_steps
    return max(1, round(entry.steps * STEP_SHARES[resolved_quality(body)]))


def _guidance(body: ImageInput) -> float | None:
    """Below 1 there is none, as at 1."""
    asked = body.guidance_scale if body.true_cfg_scale is None else body.true_cfg_scale
    return None if asked is None else max(1.0, asked)


def _adapters(lora: LoraRef | None) -> tuple[AdapterRef, ...]:
    if lora is None:
        return ()
    source = lora.path or lora.name
    if not source:
        raise MissingFieldError("lora.path")
    return (AdapterRef(source, lora.scale),)


def _output(body: ImageInput) -> OutputSpec:
    compression = body.output_quality if body.output_compression is None else body.output_compression
    if compression is not None and not 0 <= compression <= 100:
        raise RequestError("output_compression", compression, "must be 0 to 100")
    asked = (body.output_format or "png").lower().replace("jpg", "jpeg")
    return OutputSpec(
        pick("output_format", asked, OUTPUT_FORMATS),
        100 if compression is None else max(1, compression),
        pick("background", body.background or "auto", BACKGROUNDS),
    )
