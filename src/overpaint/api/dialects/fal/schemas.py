"""fal's bodies, as its type map has them. Unknown input fields are ignored, as there.

Source: types/endpoints.d.ts of npm @fal-ai/client 1.10.1, and https://docs.fal.ai.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from overpaint.api.json_numbers import Number, Whole
from overpaint.api.named_sizes import ImageSize, SizeName
from overpaint.core.request import MAX_SEED

EXAMPLE_ID = "9f0c6c1f-0f6b-4b58-a0e3-f3f6a1b2c3d4"


class LoraWeight(BaseModel):
    """An adapter; up to three are merged."""

    path: str
    scale: Number = Field(default=1.0, ge=0, le=4, allow_inf_nan=False)


class Input(BaseModel):
    """What every endpoint takes."""

    model_config = ConfigDict(str_strip_whitespace=False)

    prompt: str
    image_size: ImageSize | SizeName | None = Field(default=None, examples=["square_hd"])
    seed: Whole | None = Field(default=None, ge=0, description="Repeats a picture; fresh without.")
    num_images: Whole = Field(default=1, ge=1, le=4)
    sync_mode: bool = Field(default=False, description="Pictures in the answer as data URIs.")
    enable_safety_checker: bool = True
    output_format: Literal["jpeg", "png"] = "png"
    negative_prompt: str | None = None


class TunedInput(Input):
    """What the endpoints take that let their callers tune the sampler."""

    num_inference_steps: Whole | None = Field(default=None, ge=1, le=200)
    guidance_scale: Number | None = Field(default=None, ge=0, le=20, allow_inf_nan=False)
    acceleration: Literal["none", "regular", "high"] | None = None


class TextInput(TunedInput):
    """``fal-ai/qwen-image``."""

    loras: list[LoraWeight] = Field(default=[], max_length=3)
    use_turbo: bool = False


class Text2512Input(TunedInput):
    """``fal-ai/qwen-image-2512``."""

    output_format: Literal["jpeg", "png", "webp"] = "png"  # pyright: ignore[reportIncompatibleVariableOverride]


class Text2512LoraInput(Text2512Input):
    """``fal-ai/qwen-image-2512/lora``."""

    loras: list[LoraWeight] = Field(default=[], max_length=3)


class EditInput(TunedInput):
    """``fal-ai/qwen-image-edit``."""

    image_url: str = Field(description="An http(s) URL or a data URI.", examples=["https://example.com/a.png"])


class EditLoraInput(EditInput):
    """``fal-ai/qwen-image-edit-lora``."""

    loras: list[LoraWeight] = Field(default=[], max_length=3)


class InpaintInput(EditInput):
    """``fal-ai/qwen-image-edit/inpaint``."""

    mask_url: str = Field(description="White where the picture may change.")
    strength: Number = Field(default=0.93, gt=0, le=1)


class EditPlusInput(Text2512Input):
    """``fal-ai/qwen-image-edit-plus``, ``-edit-2509`` and ``-edit-2511``."""

    image_urls: list[str] = Field(min_length=1, max_length=10, examples=[["https://example.com/a.png"]])


class EditPlusLoraInput(EditPlusInput):
    """Their variants with adapters."""

    loras: list[LoraWeight] = Field(default=[], max_length=3)


class LayeredInput(BaseModel):
    """``fal-ai/qwen-image-layered``, which the loaded checkpoints cannot do."""

    prompt: str | None = None
    image_url: str
    num_layers: Whole = Field(default=4, ge=1, le=10)
    num_inference_steps: Whole | None = Field(default=None, ge=1, le=50)
    guidance_scale: Number | None = Field(default=None, ge=1, le=20)
    negative_prompt: str | None = None
    acceleration: Literal["none", "regular", "high"] | None = None
    seed: Whole | None = Field(default=None, ge=0, le=MAX_SEED)
    sync_mode: bool = False
    enable_safety_checker: bool = True
    output_format: Literal["png", "webp"] = "png"


class LayeredLoraInput(LayeredInput):
    """``fal-ai/qwen-image-layered/lora``."""

    loras: list[LoraWeight] = Field(default=[], max_length=3)


class NewTextInput(Input):
    """``fal-ai/qwen-image-2/text-to-image``, its ``pro`` and ``qwen-image-max``."""

    seed: Whole | None = Field(default=None, ge=0, le=MAX_SEED, description="As everywhere; these name a largest.")
    output_format: Literal["jpeg", "png", "webp"] = "png"  # pyright: ignore[reportIncompatibleVariableOverride]
    negative_prompt: str | None = Field(default=None, max_length=500)
    enable_prompt_expansion: bool = True


class NewEditInput(NewTextInput):
    """``fal-ai/qwen-image-2/edit``, its ``pro`` and ``qwen-image-max``."""

    image_urls: list[str] = Field(min_length=1, max_length=3, examples=[["https://example.com/a.png"]])


AnyInput = Input | LayeredInput
INPUTS = (
    TextInput,
    Text2512LoraInput,
    EditLoraInput,
    InpaintInput,
    EditPlusLoraInput,
    LayeredLoraInput,
    NewEditInput,
)
"""The bodies that a painting can be asked for with, each with all fields of its kin."""


class Image(BaseModel):
    """A picture in an answer."""

    url: str
    content_type: str = Field(examples=["image/png"])
    file_name: str
    file_size: int
    width: int
    height: int


class NewOutput(BaseModel):
    """What the endpoints of 2.0 and max answer."""

    images: list[Image]
    seed: int


class Output(NewOutput):
    """What the other endpoints answer."""

    timings: dict[str, float] = Field(description="Seconds.", examples=[{"inference": 1.22}])
    has_nsfw_concepts: list[bool]
    prompt: str


class LogLine(BaseModel):
    """One line of a request's log."""

    message: str
    level: str = "INFO"
    source: str = "USER"
    timestamp: str = Field(examples=["2026-01-01T00:00:00.000000Z"])


class Status(BaseModel):
    """A request in the queue."""

    status: Literal["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    request_id: str = Field(examples=[EXAMPLE_ID])
    response_url: str
    status_url: str
    cancel_url: str
    queue_position: int | None = Field(default=None, description="Requests before it; only in the queue.")
    logs: list[LogLine] | None = None
    metrics: dict[str, float | None] | None = None
    error: str | None = None
    error_type: str | None = None

    def answer(self) -> dict[str, Any]:
        """As it is sent: `logs` always, the other optional fields where they say something."""
        return self.model_dump(exclude_none=True) | {"logs": self.logs and [line.model_dump() for line in self.logs]}


class Submitted(BaseModel):
    """A request that was taken."""

    status: Literal["IN_QUEUE"] = "IN_QUEUE"
    request_id: str = Field(examples=[EXAMPLE_ID])
    gateway_request_id: str = Field(examples=[EXAMPLE_ID])
    queue_position: int
    response_url: str
    status_url: str
    cancel_url: str


class TokenInput(BaseModel):
    """A key for a while, for the endpoints named."""

    allowed_apps: list[str] = Field(max_length=50, examples=[["qwen-image"]])
    token_expiration: Whole = Field(default=120, ge=1, le=3600)


class UploadInput(BaseModel):
    """A file about to be uploaded."""

    file_name: str = Field(default="upload.bin", max_length=1024)
    content_type: str = "application/octet-stream"


class Part(BaseModel):
    """A part that was uploaded."""

    partNumber: Whole = Field(ge=1, le=10_000)  # noqa: N815 - fal's spelling
    etag: str = Field(max_length=200)


class CompleteInput(BaseModel):
    """All parts of an upload, in any order."""

    parts: list[Part] = Field(min_length=1, max_length=10_000)
