"""The bodies of the native API, as pydantic models with examples. What a value means is checked by the service."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from overpaint.api.json_numbers import Number, Whole
from overpaint.core.request import ACCELERATIONS, MAX_SEED

STATES = Literal["queued", "running", "succeeded", "failed", "cancelled"]
PROMPT = "replace the apple with a banana"
PICTURE = "https://example.com/apple.png"
TASK_ID = "9f0c6c1f0f6b4b58a0e3f3f6a1b2c3d4"


class Strict(BaseModel):
    """A body in which an unknown field is a mistake."""

    model_config = ConfigDict(extra="forbid")


class AdapterIn(Strict):
    """A LoRA adapter."""

    source: str = Field(description="A name of `GET /models`, or an https URL of a .safetensors file.")
    scale: Number = Field(default=1.0, description="-4 to 4; 1 as trained.", allow_inf_nan=False)
    weight_name: str | None = Field(default=None, description="The file, where a name stands for several.")


class OutputIn(Strict):
    """How the pictures are written."""

    format: str = Field(default="png", description="png, jpeg or webp.", examples=["png"])
    quality: Whole = Field(default=95, description="1 to 100, for jpeg and webp.")
    background: str = Field(default="auto", description="auto, opaque or transparent.", examples=["auto"])


class TaskIn(Strict):
    """A picture to paint or to edit."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model": "qwen-image-2.0", "prompt": PROMPT, "images": [PICTURE], "seed": 7}]},
    )

    model: str | None = Field(default=None, description="Id or alias of `GET /models`; the first of it without.")
    prompt: str = Field(description="What to paint or to change, in plain words.", examples=[PROMPT])
    images: list[str] = Field(
        [], description="References in the order the prompt counts them: URL, data URI or base64."
    )
    mask: str | None = Field(default=None, description="White where the first picture may change.")
    negative_prompt: str | None = Field(default=None, description="What to steer away from.")
    size: str | None = Field(default=None, description="WIDTHxHEIGHT, or a shape such as 16:9.", examples=["1024x768"])
    seed: Whole = Field(default=-1, description=f"0 to {MAX_SEED} repeats a picture, -1 draws a fresh one.")
    num_images: Whole = Field(default=1, description="How many pictures.")
    steps: Whole | None = Field(default=None, description="Denoising steps.")
    true_cfg_scale: Number | None = Field(default=None, description="Guidance; 1 is none.", allow_inf_nan=False)
    acceleration: str = Field(default="none", description=f"{', '.join(ACCELERATIONS)}: steps that change little.")
    adapters: list[AdapterIn] = Field(default=[], description="Up to four LoRA adapters; they add up.")
    output: OutputIn = Field(default=OutputIn(), description="How the pictures are written.")
    priority: Literal["interactive", "batch"] = Field(default="interactive", description="Who goes first.")
    enhance: bool | None = Field(default=None, description="Whether to enrich the prompt; the model's choice without.")
    webhook_url: str | None = Field(default=None, description="Told once the task is final.")


class FailureOut(BaseModel):
    """Why a task failed."""

    code: str = Field(examples=["backend"])
    message: str


class TimingsOut(BaseModel):
    """Milliseconds in each stage."""

    queue_ms: int
    condition_ms: int
    prefill_ms: int
    denoise_ms: int
    decode_ms: int
    total_ms: int


class ImageOut(BaseModel):
    """One finished picture."""

    url: str = Field(description="Reads it without a key, until the link expires.")
    media_type: str = Field(examples=["image/png"])
    width: int
    height: int
    num_bytes: int
    seed: int = Field(description="Repeats this picture.")
    has_nsfw: bool | None = Field(default=None, description="What the safety check found; null when it did not run.")


class TaskLinks(BaseModel):
    """Where to go from a task."""

    get: str
    events: str
    cancel: str


class TaskOut(BaseModel):
    """A task."""

    id: str = Field(examples=[TASK_ID])
    state: STATES
    model: str = Field(examples=["qwen-image-2.0"])
    prompt: str = Field(examples=[PROMPT])
    enhanced_prompt: str | None = None
    seed: int
    num_images: int
    priority: Literal["interactive", "batch"]
    dialect: str = Field(examples=["native"])
    attempt: int = Field(description="How often the engine took it up.")
    price_usd: float = Field(description="What it costs when it succeeds.", examples=[0.03])
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    images: list[ImageOut] = Field(default=[], description="In order, once it succeeded.")
    error: FailureOut | None = None
    timings: TimingsOut | None = None
    urls: TaskLinks


class TaskListOut(BaseModel):
    """A page of tasks, newest first."""

    tasks: list[TaskOut]
    next_cursor: str | None = Field(
        default=None, description="Give it as `cursor` for the next page; null on the last."
    )


class FileOut(BaseModel):
    """A stored picture or LoRA file."""

    url: str = Field(
        description="Use it in `images`, or as an adapter's `source`; reads the file without a key until it expires."
    )
    media_type: str = Field(examples=["image/png"])
    width: int
    height: int
    num_bytes: int


class DeliveryOut(BaseModel):
    """A webhook message and how it went."""

    id: str
    url: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None = None
    delivered_at: datetime | None = None
    last_error: str | None = None
