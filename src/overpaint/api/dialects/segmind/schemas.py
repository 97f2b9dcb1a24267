"""Segmind's bodies, as its model pages, its developer guides and its client 1.3.0 have them.

Unknown input fields are ignored, as there. Source: https://www.segmind.com/models/{slug}/api
"""

from typing import Any, Literal

from pydantic import BaseModel, Field

from overpaint.api.json_numbers import Number, Whole
from overpaint.core.request import MAX_SEED

Status = Literal["QUEUED", "PROCESSING", "COMPLETED", "FAILED"]
EXAMPLE_ID = "9f0c6c1f-0f6b-4b58-a0e3-f3f6a1b2c3d4"
MAX_FILES = 20


class ModelInput(BaseModel):
    """The input of any of the image models."""

    prompt: str | None = Field(default=None, description="Required.", examples=["make the sky overcast"])
    image: str | None = Field(default=None, description="URL, data URI or base64; required by the edit models.")
    image_1: str | None = Field(default=None, description="As `image`.")
    image_2: str | None = None
    image_3: str | None = None
    negative_prompt: str | None = None
    steps: Whole | None = Field(default=None, description="Denoising steps.", examples=[8])
    num_inference_steps: Whole | None = Field(default=None, description="As `steps`.")
    guidance: Number | None = Field(default=None, description="1 to 25; above 1 doubles the work.")
    guidance_scale: Number | None = Field(default=None, description="As `guidance`.")
    seed: Whole | None = Field(default=None, description=f"-1 for a fresh one, 0 to {MAX_SEED} to repeat.")
    aspect_ratio: str | None = Field(default=None, description="A shape such as 16:9, or match_input_image.")
    image_format: str | None = Field(default=None, description="png, jpeg or webp.", examples=["png"])
    quality: Whole | None = Field(default=None, description="10 to 100, of jpeg and webp.")
    base64: bool | None = Field(default=None, description="v1: the picture in JSON instead of its bytes.")
    go_fast: bool | None = Field(default=None, description="Faster, at some cost in quality.")
    lora: str | None = Field(default=None, description="An adapter of this server, by name.")


INPUTS = (ModelInput,)
"""What a painting can be asked for with."""


class Submitted(BaseModel):
    """A request that was accepted."""

    request_id: str = Field(examples=[EXAMPLE_ID])
    status: Status
    poll_url: str
    status_url: str
    response_url: str


class OutputImage(BaseModel):
    """A picture."""

    url: str
    content_type: str


class RequestState(BaseModel):
    """Where a request is; `output` and `images` only once it is completed, `error` only when it failed."""

    status: Status
    request_id: str = Field(examples=[EXAMPLE_ID])
    status_url: str
    response_url: str
    output: str | None = None
    images: list[OutputImage] | None = None
    error: str | None = None
    metrics: dict[str, float] = Field(default={}, description="`inference_time` in seconds.")


class AssetInput(BaseModel):
    """Files to store."""

    data_urls: list[str] = Field(min_length=1, max_length=MAX_FILES, examples=[["data:image/png;base64,iVBORw0KGgo="]])


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    error: str


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "A parameter is missing or cannot be used."},
    401: {"model": Refusal, "description": "No key, or not one of this server."},
    404: {"model": Refusal, "description": "No such model or request."},
    406: {"model": Refusal, "description": "Not enough credits: the key's budget is spent."},
    413: {"model": Refusal, "description": "Too large."},
    429: {"model": Refusal, "description": "Too many requests; see Retry-After."},
    500: {"model": Refusal, "description": "The picture could not be painted."},
    503: {"model": Refusal, "description": "Not now; see Retry-After."},
    504: {"model": Refusal, "description": "Not in time; the same request sent again is given the running one."},
}
