"""WaveSpeed's bodies, as its documents and its two clients have them. Unknown input fields are ignored, as there.

Source: the API section of WaveSpeed's model pages, and its Python client 2.0.5 and npm client 0.3.2.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from overpaint.api.json_lists import Listed, listed
from overpaint.api.json_numbers import Whole
from overpaint.core.request import MAX_SEED

Status = Literal["created", "processing", "completed", "failed", "cancelled"]
EXAMPLE_ID = "9f0c6c1f0f6b4b58a0e3f3f6a1b2c3d4"


class Lora(BaseModel):
    """An adapter."""

    path: str
    scale: float = Field(default=1.0, allow_inf_nan=False)


class SubmitInput(BaseModel):
    """The input of any of the image models."""

    prompt: str | None = Field(default=None, description="Required.", examples=["replace the apple with a banana"])
    images: Annotated[list[str], Listed] = Field(
        [],
        description="URLs, data URIs or base64; required by the edit models.",
        examples=[["https://example.com/a.png"]],
    )
    image: str | None = Field(default=None, description="The one picture of models that take one.")
    negative_prompt: str | None = None
    size: str | None = Field(default=None, description='"W*H", or a shape such as 16:9.', examples=["1024*1024"])
    width: Whole | None = None
    height: Whole | None = None
    seed: Whole | None = Field(
        default=None, description=f"-1 for a fresh one, 0 to {MAX_SEED} to repeat.", examples=[-1]
    )
    output_format: str | None = Field(default=None, description="jpeg, png or webp.", examples=["png"])
    loras: list[Lora] | None = None
    enable_sync_mode: bool | None = Field(default=None, description="Answer when the task is done.")
    enable_base64_output: bool | None = Field(default=None, description="Pictures in the answer instead of URLs.")
    enable_prompt_expansion: bool | None = Field(default=None, description="Whether to enrich the prompt.")
    webhook_url: str | None = Field(default=None, description="As the query parameter `webhook`.")

    @property
    def all_images(self) -> list[tuple[str, str]]:
        """Whatever field they came in, each with what it is called."""
        return [*([("image", self.image)] if self.image else []), *listed("images", self.images)]


class Urls(BaseModel):
    """Where to look."""

    get: str


class Times(BaseModel):
    """Whole milliseconds."""

    inference: int = Field(examples=[2500])


class Prediction(BaseModel):
    """A task, as WaveSpeed shows one."""

    id: str = Field(examples=[EXAMPLE_ID])
    model: str = Field(examples=["wavespeed-ai/qwen-image-2.0/edit"])
    outputs: list[str] = Field(description="URLs or base64; empty until completed.")
    urls: Urls
    has_nsfw_contents: list[bool]
    status: Status
    code: int = Field(default=0, description="0, or why it failed.")
    created_at: str = Field(examples=["2026-01-01T12:34:56.789Z"])
    error: str = ""
    executionTime: int = 0  # noqa: N815 - WaveSpeed's spelling
    timings: Times


class PredictionAnswer(BaseModel):
    """The envelope of one prediction."""

    code: int = 200
    message: str = "success"
    data: Prediction


class ListInput(BaseModel):
    """Which predictions to list."""

    page: Whole = Field(default=1, ge=1, le=10_000)
    page_size: Whole = Field(default=20, ge=1, le=100)
    model: str | None = None
    status: Status | None = None
    created_after: str | None = None
    created_before: str | None = None


class DeleteInput(BaseModel):
    """Which predictions to forget."""

    id: str | None = None
    ids: list[str] = Field(default=[], max_length=100)


class UploadInput(BaseModel):
    """A file about to be uploaded."""

    filename: str = Field(default="upload", max_length=1024)
    size: Whole = Field(ge=0)
    content_type: str | None = None


INPUTS = (SubmitInput,)
"""The bodies that a painting can be asked for with; its page tells what becomes of their fields."""
