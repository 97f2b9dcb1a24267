"""fal's words to the service's and back. Pure: links and inline pictures arrive as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from overpaint.api.dialects.fal.endings import START_WITHIN_S
from overpaint.api.dialects.fal.endpoints import Endpoint
from overpaint.api.dialects.fal.findings import finding, findings_of
from overpaint.api.dialects.fal.kinds import UNSUPPORTED
from overpaint.api.dialects.fal.schemas import (
    AnyInput,
    EditInput,
    EditLoraInput,
    EditPlusInput,
    EditPlusLoraInput,
    Image,
    InpaintInput,
    Input,
    LayeredInput,
    NewEditInput,
    NewOutput,
    NewTextInput,
    Output,
    Text2512LoraInput,
    TextInput,
    TunedInput,
)
from overpaint.api.errors import FindingsError
from overpaint.api.named_sizes import size_of
from overpaint.core.errors import RequestError
from overpaint.core.request import MAX_SEED, RANDOM_SEED, AdapterRef, OutputSpec
from overpaint.core.task import Priority, StoredFile, Task
from overpaint.service.draft import Draft, PictureSource, picture_source

NAME = "fal"
APP = "app"
INLINE = "sync_mode"
EXPIRES_S = "expires_s"
"""Words that later answers need: which endpoint was called, pictures as data URIs, how long their links live."""

TURBO_STEPS, TURBO_GUIDANCE = 10, 1.2
NO_NEGATIVE = " "
NAMES = {
    "size": "image_size",
    "steps": "num_inference_steps",
    "true_cfg_scale": "guidance_scale",
    "adapters": "loras",
    "mask": "mask_url",
    "webhook_url": "fal_webhook",
    "format": "output_format",
}


@dataclass(frozen=True, slots=True)
class Manners:
    """How a request wants to be treated, besides what it wants painted.

    Args:
        webhook_url: to be told.
        is_low: whether it may wait for others.
        start_within_s: how soon it must be started.
        expires_s: how long the links to its pictures live.
    """

    webhook_url: str | None = None
    is_low: bool = False
    start_within_s: float | None = None
    expires_s: int | None = None

    def words(self, app: str, *, is_inline: bool = False) -> dict[str, str]:
        """What its task carries."""
        asked = {
            APP: app,
            INLINE: "yes" if is_inline else None,
            EXPIRES_S: self.expires_s,
            START_WITHIN_S: self.start_within_s,
        }
        return {name: str(value) for name, value in asked.items() if value is not None}


def to_draft(body: AnyInput, endpoint: Endpoint, manners: Manners) -> Draft:
    """What was asked.

    Raises:
        RequestError: it cannot be understood, or no loaded checkpoint could do it.
    """
    if isinstance(body, LayeredInput):
        rule = "cannot be painted: the loaded checkpoint paints no layers"
        found = finding(["body", "num_layers"], f"num_layers: {body.num_layers} {rule}", UNSUPPORTED, body.num_layers)
        raise FindingsError([found], "num_layers", body.num_layers, rule)
    scale, negative = _guidance(body, endpoint)
    return Draft(
        model=endpoint.id,
        prompt=body.prompt,
        dialect=NAME,
        negative_prompt=negative,
        pictures=_pictures(body),
        mask=picture_source(body.mask_url, "mask_url") if isinstance(body, InpaintInput) else None,
        size=size_of(body.image_size or endpoint.size),
        seed=RANDOM_SEED if body.seed is None else body.seed % (MAX_SEED + 1),
        num_images=body.num_images,
        steps=_steps(body),
        true_cfg_scale=scale,
        acceleration=(body.acceleration if isinstance(body, TunedInput) else None) or "none",
        adapters=_adapters(body),
        output=OutputSpec(format=body.output_format),  # pyright: ignore[reportArgumentType]
        priority=Priority.BATCH if manners.is_low else Priority.INTERACTIVE,
        webhook_url=manners.webhook_url,
        enhance=body.enable_prompt_expansion if isinstance(body, NewTextInput) else None,
        wording=manners.words(endpoint.id, is_inline=body.sync_mode),
    )


def in_fals_words(error: RequestError, endpoint: Endpoint) -> FindingsError:
    """The same error, its field as fal's callers know it."""
    several = "image_urls" in endpoint.body.model_fields
    names = NAMES | ({"images": "image_urls"} if several else {"images": "image_url", "images[0]": "image_url"})
    return FindingsError(findings_of(error, names), error.field, error.value, error.rule)


def to_output(task: Task, urls: Sequence[str], *, is_new: bool) -> NewOutput | Output:
    """A painted task as its endpoint answers.

    Args:
        task: that succeeded.
        urls: of its pictures, or data URIs.
        is_new: whether the endpoint is one of those that answer with less.
    """
    images = [_image(output.file, url) for output, url in zip(task.outputs, urls, strict=True)]
    if is_new:
        return NewOutput(images=images, seed=task.spec.seed)
    return Output(
        images=images,
        seed=task.spec.seed,
        timings={"inference": task.timings.work_s if task.timings else 0.0},
        has_nsfw_concepts=[bool(output.has_nsfw) for output in task.outputs],
        prompt=task.spec.painted_prompt,
    )


def lifetime_s(wording: Mapping[str, str], age_s: float) -> int | None:
    """How much longer links to a task's pictures live; None is as long as any.

    Args:
        wording: of the task.
        age_s: since it ended.
    """
    return max(0, int(wording[EXPIRES_S]) - int(age_s)) if EXPIRES_S in wording else None


def _image(file: StoredFile, url: str) -> Image:
    return Image(
        url=url,
        content_type=file.media_type,
        file_name=file.key.rpartition("/")[2],
        file_size=file.num_bytes,
        width=file.width,
        height=file.height,
    )


def _pictures(body: Input) -> tuple[PictureSource, ...]:
    if isinstance(body, EditInput):
        return (picture_source(body.image_url, "image_url"),)
    if isinstance(body, EditPlusInput | NewEditInput):
        return tuple(picture_source(text, f"image_urls[{at}]") for at, text in enumerate(body.image_urls))
    return ()


def _steps(body: Input) -> int | None:
    if not isinstance(body, TunedInput):
        return None
    return body.num_inference_steps or (TURBO_STEPS if _is_turbo(body) else None)


def _guidance(body: Input, endpoint: Endpoint) -> tuple[float | None, str | None]:
    """Scale and negative prompt, where one of them was asked for; else the checkpoint's own way, which is faster.

    fal documents a scale and a blank negative prompt for every request. The 2.x checkpoints are made to need neither.
    """
    scale = body.guidance_scale if isinstance(body, TunedInput) else None
    if scale is None and _is_turbo(body):
        scale = TURBO_GUIDANCE
    if scale is None and not (body.negative_prompt or "").strip():
        return None, None
    return max(1.0, endpoint.guidance if scale is None else scale), body.negative_prompt or NO_NEGATIVE


def _is_turbo(body: Input) -> bool:
    return isinstance(body, TextInput) and body.use_turbo


def _adapters(body: Input) -> tuple[AdapterRef, ...]:
    if not isinstance(body, TextInput | Text2512LoraInput | EditLoraInput | EditPlusLoraInput):
        return ()
    return tuple(AdapterRef(lora.path, lora.scale) for lora in body.loras)
