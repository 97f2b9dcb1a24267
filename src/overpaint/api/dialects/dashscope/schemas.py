"""DashScope's bodies, as its documents and its clients (1.x classes and the 2.x client) have them.

Unknown fields are ignored, as there: the 1.x classes put every argument they do not know into `parameters`.
Source: help.aliyun.com/zh/model-studio (qwen-image-edit-api, text-to-image reference, manage-asynchronous-tasks).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from overpaint.api.conversation import Message, TurnParameters
from overpaint.api.json_lists import Listed
from overpaint.api.json_numbers import Whole
from overpaint.core.request import MAX_SEED

Form = Literal["choices", "results"]
"""How a task's pictures are answered: as a conversation goes on, or as a list."""

MAX_PAGE = 100


Images = Annotated[list[str], Listed]
Present = BeforeValidator(lambda value: {} if value is None else value)
"""Null is an object without fields."""


class Input(BaseModel):
    """What is asked: a conversation of one turn, or its words and pictures by name."""

    messages: list[Message] | None = None
    prompt: str | None = None
    negative_prompt: str | None = None
    images: Images = []
    base_image_url: str | None = Field(default=None, description="The picture to edit.")
    image_url: str | None = Field(default=None, description="As `base_image_url`; some guides write it so.")
    mask_image_url: str | None = Field(default=None, description="White where the picture may change.")
    function: str | None = Field(default=None, examples=["description_edit"])
    ref_img: str | None = None
    sketch_image_url: str | None = None


class Parameters(TurnParameters):
    """How it is to be painted."""

    prompt_extend_mode: str | None = None
    enable_thinking: bool | None = None
    thinking_mode: str | bool | None = None
    style: str | None = None
    enable_interleave: bool | None = None
    enable_sequential: bool | None = None
    bbox_list: list[Any] | None = None
    color_palette: Any = None


class Submission(BaseModel):
    """The body of every painting call."""

    model: str | None = Field(default=None, description="Required.", examples=["qwen-image-edit-plus"])
    input: Annotated[Input, Present] = Input()
    parameters: Annotated[Parameters, Present] = Parameters()


class CompatibleInput(BaseModel):
    """The flat body of the OpenAI-like call."""

    model: str | None = Field(default=None, description="Required.", examples=["qwen-image-3.0"])
    prompt: str | None = Field(default=None, description="Required.")
    image: Images = Field(default=[], description="One or several; URLs or data URIs.")
    n: Whole | None = None
    size: str | None = Field(default=None, description='"WxH" or auto.', examples=["1024x1024"])
    negative_prompt: str | None = None
    seed: Whole | None = Field(default=None, description=f"0 to {MAX_SEED}.")
    prompt_extend: bool | None = None
    prompt_extend_mode: str | None = None
    enable_thinking: bool | None = None
    watermark: bool | None = None
    response_format: str | None = None


INPUTS = (Submission, Input, Parameters, TurnParameters, CompatibleInput)
"""What a painting can be asked for with."""


class TaskFilter(BaseModel):
    """Which tasks to list."""

    page_no: Whole = Field(default=1, ge=1, le=10_000)
    page_size: Whole = Field(default=10, ge=1, le=MAX_PAGE)
    start_time: str | None = Field(default=None, description="UTC.", examples=["20260101000000"])
    end_time: str | None = Field(default=None, description="UTC.")
    model_name: str | None = None
    status: Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "SUSPENDED", "UNKNOWN"] | None = None


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    code: str = Field(examples=["InvalidParameter"])
    message: str
    request_id: str


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "A parameter is missing or cannot be used, or the budget is spent."},
    401: {"model": Refusal, "description": "No key, or not one of this server."},
    403: {"model": Refusal, "description": "Not allowed."},
    404: {"model": Refusal, "description": "No such model."},
    413: {"model": Refusal, "description": "Too large."},
    429: {"model": Refusal, "description": "Too many requests; see Retry-After."},
    500: {"model": Refusal, "description": "The picture could not be painted."},
    503: {"model": Refusal, "description": "Not now; see Retry-After."},
    504: {"model": Refusal, "description": "Not in time; the same request sent again is given the running task."},
}
