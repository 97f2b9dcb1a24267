"""Pixazo's words to the service's and back. Pure: links arrive as a value."""

from overpaint.api.conversation import Turn, TurnParameters, answer, draft_of, negative_words, read_turn
from overpaint.api.dialects.pixazo.schemas import (
    ConversationBody,
    ConversationInput,
    Image,
    Media,
    OperationInput,
    RequestState,
    Status,
)
from overpaint.api.errors import MissingFieldError, why_unpainted
from overpaint.api.json_lists import listed
from overpaint.api.models import vendor_name
from overpaint.api.named_sizes import size_of
from overpaint.api.names import pick_format
from overpaint.api.public_url import Links
from overpaint.api.task_ids import dashed, undashed
from overpaint.core.errors import RequestError
from overpaint.core.request import RANDOM_SEED, AdapterRef, OutputSpec
from overpaint.core.task import Task, TaskState
from overpaint.service.draft import Draft, picture_source

NAME = "pixazo"
FAMILY = "pixazo/"
LAYERED = "qwen-image-layered"
LAYERS = 4
NO_NEGATIVE = " "

STATUS_OF: dict[TaskState, Status] = {
    TaskState.QUEUED: "QUEUED",
    TaskState.RUNNING: "PROCESSING",
    TaskState.SUCCEEDED: "COMPLETED",
    TaskState.FAILED: "FAILED",
    TaskState.CANCELLED: "FAILED",
}


def to_draft(body: OperationInput, model: str) -> Draft:
    """What was asked.

    Args:
        body: as it was sent.
        model: its id in the catalogue, which names api and operation.

    Raises:
        RequestError: a field is missing or cannot be understood, or no loaded checkpoint could do it.
    """
    if api_of(model) == LAYERED or body.num_layers is not None:
        layers = LAYERS if body.num_layers is None else body.num_layers
        raise RequestError("num_layers", layers, "cannot be painted: the loaded checkpoint paints no layers")
    if body.prompt is None:
        raise MissingFieldError("prompt")
    scale = _scale(body)
    images = [*([("image_url", body.image_url)] if body.image_url else []), *listed("image_urls", body.image_urls)]
    return Draft(
        model=model,
        prompt=body.prompt,
        dialect=NAME,
        negative_prompt=negative_words(body.negative_prompt) or (NO_NEGATIVE if (scale or 1) > 1 else None),
        pictures=tuple(picture_source(text, field) for field, text in images),
        size=size_of(body.image_size),
        seed=RANDOM_SEED if body.seed is None else body.seed,
        num_images=1 if body.num_images is None else body.num_images,
        steps=body.num_inference_steps,
        true_cfg_scale=scale,
        acceleration=body.acceleration or "none",
        adapters=tuple(AdapterRef(lora.path, lora.scale) for lora in body.loras or ()),
        output=OutputSpec(pick_format("output_format", body.output_format or "png")),
    )


def to_conversation_draft(body: ConversationBody, model: str) -> Draft:
    """What was asked in a conversation.

    Raises:
        RequestError: a field is missing or cannot be understood.
    """
    return draft_of(_turn(body.input), body.parameters or TurnParameters(), model, NAME)


def to_state(task: Task, links: Links) -> RequestState:
    """A request as it is now."""
    request_id = f"{api_of(task.spec.model)}_{dashed(task.id)}"
    images = [
        Image(
            url=links.file(output.file),
            content_type=output.file.media_type,
            width=output.file.width,
            height=output.file.height,
        )
        for output in task.outputs
    ]
    return RequestState(
        request_id=request_id,
        status=STATUS_OF[task.state],
        polling_url=links.route(f"/v2/requests/status/{request_id}"),
        images=images or None,
        output=Media(media_url=[image.url for image in images]) if images else None,
        error=why_unpainted(task),
    )


def to_answer(task: Task, links: Links) -> dict[str, object]:
    """A painted conversation as it goes on."""
    output = answer([links.file(output.file) for output in task.outputs])
    usage = {"image_count": len(task.outputs)}
    return {"output": output, "usage": usage, "request_id": f"{api_of(task.spec.model)}_{dashed(task.id)}"}


def api_of(model: str) -> str:
    """The api that a model of the catalogue belongs to."""
    return vendor_name(model, FAMILY).partition("/")[0]


def task_id_of(request_id: str) -> str:
    """The task that a request id names.

    Raises:
        TaskNotFoundError: it can be none.
    """
    return undashed(request_id.rpartition("_")[2])


def _turn(body: ConversationInput) -> Turn:
    return read_turn(body.messages, "input.messages")


def _scale(body: OperationInput) -> float | None:
    """Callers send 1 or less for "not guided"."""
    scale = body.guidance_scale if body.true_cfg_scale is None else body.true_cfg_scale
    return None if scale is None else max(1.0, scale)
