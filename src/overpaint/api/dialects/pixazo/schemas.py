"""Pixazo's bodies, as its model pages and its published skills have them. Unknown input fields are ignored, as there.

Source: https://www.pixazo.ai/models, https://github.com/Pixazo-AI/skills (qwen-image, qwen-image-lite).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from overpaint.api.conversation import Message, TurnParameters
from overpaint.api.json_lists import Listed
from overpaint.api.json_numbers import Number, Whole
from overpaint.api.named_sizes import SIZES, ImageSize, SizeName
from overpaint.core.request import MAX_SEED, Acceleration

Status = Literal["QUEUED", "PROCESSING", "COMPLETED", "FAILED"]
SIZE = "must be {width, height}, or one of " + ", ".join(SIZES)
EXAMPLE_ID = "qwen-image-lite_9f0c6c1f-0f6b-4b58-a0e3-f3f6a1b2c3d4"


def _known_size(value: Any) -> Any:
    """A name that is none is told by those there are; of two forms, the other one would be named.

    Raises:
        ValueError: it is none of them.
    """
    if isinstance(value, str) and value and value not in SIZES:
        raise ValueError(SIZE)
    return None if value == "" else value


class Lora(BaseModel):
    """An adapter."""

    path: str
    scale: Number = Field(default=1.0, allow_inf_nan=False)


class OperationInput(BaseModel):
    """The input of any operation but the one that is asked in a conversation."""

    prompt: str | None = Field(default=None, description="Required.", examples=["make it blue"])
    image_url: str | None = Field(default=None, description="URL, data URI or base64.")
    image_urls: Annotated[list[str], Listed] = []
    negative_prompt: str | None = None
    num_inference_steps: Whole | None = Field(default=None, description="Denoising steps.", examples=[4])
    true_cfg_scale: Number | None = Field(default=None, description="Above 1 doubles the work.")
    guidance_scale: Number | None = Field(default=None, description="As `true_cfg_scale`.")
    seed: Whole | None = Field(default=None, description=f"-1 for a fresh one, 0 to {MAX_SEED} to repeat.")
    num_images: Whole | None = Field(default=None, description="1 to 4; one without.")
    output_format: str | None = Field(default=None, description="png, jpeg or webp; png without.")
    image_size: Annotated[ImageSize | SizeName | None, BeforeValidator(_known_size)] = Field(
        default=None, examples=["square_hd"]
    )
    loras: list[Lora] | None = None
    num_layers: Whole | None = None
    acceleration: Acceleration | None = Field(default=None, description="Faster, at some cost in quality.")
    enable_safety_checker: bool | None = None


class ConversationInput(BaseModel):
    """What is said in the conversation."""

    messages: list[Message]


class ConversationBody(BaseModel):
    """The body of the operation that is asked in a conversation."""

    model: str | None = Field(default=None, examples=["qwen-image-edit"])
    input: ConversationInput
    parameters: TurnParameters | None = None


INPUTS = (OperationInput, ConversationBody, ConversationInput, TurnParameters)
"""What a painting can be asked for with."""


class ResultInput(BaseModel):
    """Which request is meant."""

    request_id: str = Field(examples=[EXAMPLE_ID])


class Image(BaseModel):
    """A picture."""

    url: str
    content_type: str
    width: int
    height: int


class Media(BaseModel):
    """Pictures by their URLs."""

    media_url: list[str]


class RequestState(BaseModel):
    """A request, in both forms: pictures in `images` and in `output`; both are missing until it is completed."""

    request_id: str = Field(examples=[EXAMPLE_ID])
    status: Status
    polling_url: str
    images: list[Image] | None = None
    output: Media | None = None
    error: str | None = None


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    error: str
    message: str
    statusCode: int  # noqa: N815 - the gateway's spelling


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "A parameter is missing or cannot be used."},
    401: {"model": Refusal, "description": "No key, or not one of this server."},
    402: {"model": Refusal, "description": "Out of credits: the key's budget is spent."},
    404: {"model": Refusal, "description": "No such operation or request."},
    413: {"model": Refusal, "description": "Too large."},
    429: {"model": Refusal, "description": "Too many requests; see Retry-After."},
    500: {"model": Refusal, "description": "The picture could not be painted."},
    503: {"model": Refusal, "description": "Not now; see Retry-After."},
    504: {"model": Refusal, "description": "Not in time; the same request sent again is given the running one."},
}
