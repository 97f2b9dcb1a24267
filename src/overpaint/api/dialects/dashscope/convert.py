"""What DashScope's callers ask, in the service's words. Pure."""

from dataclasses import replace

from overpaint.api.conversation import Turn, TurnParameters, draft_of, negative_words, read_turn
from overpaint.api.dialects.dashscope.oss import SCHEME, stored_key
from overpaint.api.dialects.dashscope.schemas import CompatibleInput, Form, Input, Parameters, Submission
from overpaint.api.errors import MissingFieldError
from overpaint.api.json_lists import listed, one_or_listed
from overpaint.core.errors import RequestError
from overpaint.service.draft import Draft, PictureFile, PictureSource, picture_source

NAME = "dashscope"
FAMILY = "dashscope/"
FORM = "form"
MASKED = "description_edit_with_mask"
FUNCTIONS = ("description_edit", MASKED, "stylization_all")
AUTO = "auto"


def to_draft(body: Submission, model: str, form: Form) -> Draft:
    """What was asked.

    Args:
        body: as it was sent.
        model: its id in the catalogue.
        form: how it will be answered.

    Raises:
        RequestError: a field is missing or cannot be understood.
    """
    turn = _turn(body.input)
    _refuse_unknown_work(body.parameters)
    draft = draft_of(turn, body.parameters, model, NAME, source_of)
    negative = negative_words(body.input.negative_prompt) or draft.negative_prompt
    return replace(draft, negative_prompt=negative, mask=_mask(body.input), wording={FORM: form})


def to_compatible_draft(body: CompatibleInput, model: str) -> Draft:
    """What was asked in the OpenAI-like call.

    Raises:
        RequestError: a field is missing or cannot be understood.
    """
    if body.prompt is None:
        raise MissingFieldError("prompt")
    size = None if body.size == AUTO else body.size
    asked = TurnParameters(
        n=body.n,
        size=size,
        negative_prompt=body.negative_prompt,
        seed=body.seed,
        prompt_extend=body.prompt_extend,
    )
    return draft_of(Turn(body.prompt, tuple(one_or_listed("image", body.image))), asked, model, NAME, source_of)


def source_of(text: str, field: str) -> PictureSource:
    """Where a picture comes from: as everywhere, or an upload by its ``oss://`` name.

    Raises:
        PictureError: it is none of them.
    """
    return PictureFile(stored_key(text), called=field) if text.startswith(SCHEME) else picture_source(text, field)


def _turn(body: Input) -> Turn:
    if body.messages is not None:
        return read_turn(body.messages, "input.messages")
    if body.prompt is None:
        raise MissingFieldError("input.prompt")
    for field, value in (("ref_img", body.ref_img), ("sketch_image_url", body.sketch_image_url)):
        if value:
            raise RequestError(f"input.{field}", value, "cannot be used: name the picture in images")
    single = (("input.base_image_url", body.base_image_url), ("input.image_url", body.image_url))
    named = [(field, image) for field, image in single if image]
    return Turn(body.prompt, (*named, *listed("input.images", body.images)))


def _mask(body: Input) -> PictureSource | None:
    if body.function is not None and body.function not in FUNCTIONS:
        raise RequestError("input.function", body.function, f"must be one of {', '.join(FUNCTIONS)}")
    if body.mask_image_url:
        return source_of(body.mask_image_url, "input.mask_image_url")
    if body.function == MASKED:
        raise MissingFieldError("input.mask_image_url")
    return None


def _refuse_unknown_work(body: Parameters) -> None:
    """What would change the picture and cannot be done must not be passed over."""
    asked = {
        "enable_interleave": body.enable_interleave,
        "enable_sequential": body.enable_sequential,
        "bbox_list": body.bbox_list,
        "color_palette": body.color_palette,
    }
    for field, value in asked.items():
        if value:
            raise RequestError(f"parameters.{field}", value, "is not something this server can do")
