"""Replicate's bodies, as its HTTP reference and its clients 1.0.7 (Python) and 1.4.0 (npm) have them.

Models differ in which inputs they take; `PaintingInput` has all of them, and `pages` says which are whose.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from overpaint.api.json_lists import Listed
from overpaint.api.json_numbers import Number, Whole

Status = Literal["starting", "processing", "succeeded", "failed", "canceled"]
WebhookEvent = Literal["start", "output", "logs", "completed"]
EXAMPLE_ID = "9f0c6c1f0f6b4b58a0e3f3f6a1b2c3d4"


Texts = Annotated[list[str], Listed]
Numbers = Annotated[list[Annotated[Number, Field(allow_inf_nan=False)]], Listed]


class PaintingInput(BaseModel):
    """The input of any of the image models."""

    prompt: str | None = Field(default=None, description="What to paint or to change.")
    image: Texts = Field(default=[], description="Pictures to edit or to go by: URLs, data URIs or uploaded files.")
    negative_prompt: str | None = Field(default=None, description="What to steer away from.")
    aspect_ratio: str | None = Field(default=None, description="A shape, or match_input_image.")
    match_input_image: bool = Field(default=False, description="Take the shape of the picture.")
    image_size: str | None = Field(default=None, description="optimize_for_quality or optimize_for_speed.")
    num_outputs: Whole | None = Field(default=None, description="How many pictures.")
    num_inference_steps: Whole | None = Field(default=None, description="Denoising steps.")
    guidance: Number | None = Field(default=None, allow_inf_nan=False, description="0 to 10; up to 1 is none.")
    seed: Whole | None = Field(default=None, description="Repeats a picture.")
    enhance_prompt: bool | None = Field(default=None, description="Whether to enrich the prompt.")
    enable_prompt_expansion: bool | None = Field(default=None, description="Whether to enrich the prompt.")
    output_format: str | None = Field(default=None, description="webp, jpg or png.")
    output_quality: Whole | None = Field(default=None, description="0 to 100, for jpg and webp.")
    lora_weights: str | None = Field(default=None, description="An adapter.")
    replicate_weights: str | None = Field(default=None, description="An adapter.")
    lora_scale: Number | None = Field(default=None, allow_inf_nan=False, description="How strongly it is applied.")
    extra_lora_weights: Texts = Field(default=[], description="More adapters.")
    extra_lora_scale: Numbers = Field(default=[], description="Their scales.")
    strength: Number | None = Field(default=None, description="Refused: a picture is edited, not painted over.")
    go_fast: bool | None = Field(default=None, description="Leave out work of steps that change little.")
    disable_safety_checker: bool | None = None


class CreateInput(BaseModel):
    """A prediction to make. What is misspelt here is refused; of its `input`, only what the model takes counts."""

    model_config = ConfigDict(extra="forbid")

    input: dict[str, Any] | None = Field(default=None, description="What the model's page says.")
    version: str | None = Field(default=None, description="A version's id, or `owner/name`.")
    webhook: str | None = Field(default=None, description="Told once the prediction is completed.")
    webhook_completed: str | None = Field(default=None, description="As `webhook`; the older name.")
    webhook_events_filter: list[WebhookEvent] | None = Field(default=None, description="Must have `completed`.")
    stream: Any = None


INPUTS = (CreateInput, PaintingInput)


class PredictionUrls(BaseModel):
    """Where to go from a prediction."""

    get: str
    cancel: str
    stream: str
    web: str


class Prediction(BaseModel):
    """A prediction."""

    id: str = Field(examples=[EXAMPLE_ID])
    model: str = Field(examples=["qwen/qwen-image-edit"])
    version: str
    input: dict[str, Any]
    logs: str = ""
    output: list[str] | str | None = None
    error: str | None = None
    status: Status
    metrics: dict[str, float] = {}
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None
    data_removed: bool = False
    source: Literal["api"] = "api"
    urls: PredictionUrls


class Page(BaseModel):
    """A page of anything."""

    previous: str | None = None
    next: str | None = None
    results: list[Any]


class VersionCard(BaseModel):
    """A version of a model, and what it takes and gives."""

    id: str
    created_at: str
    cog_version: str
    openapi_schema: dict[str, Any]


class ModelCard(BaseModel):
    """A model."""

    url: str
    owner: str
    name: str
    description: str
    visibility: Literal["public"] = "public"
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    run_count: int = 0
    cover_image_url: str | None = None
    default_example: None = None
    latest_version: VersionCard


class Configuration(BaseModel):
    """What a deployment runs on."""

    hardware: str
    min_instances: int = 1
    max_instances: int = 1


class Release(BaseModel):
    """What a deployment serves."""

    number: int = 1
    model: str = Field(examples=["qwen/qwen-image-edit"])
    version: str
    created_at: str
    created_by: dict[str, Any]
    configuration: Configuration


class Deployment(BaseModel):
    """A deployment: each model is one, by its own name."""

    owner: str
    name: str
    current_release: Release


class FileCard(BaseModel):
    """An uploaded picture."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str
    content_type: str
    size: int
    etag: str
    checksums: dict[str, str]
    metadata: dict[str, Any] = {}
    created_at: str
    expires_at: str
    urls: dict[str, str]
