"""AtlasCloud's bodies. Its documents show several shapes; inputs are taken in each, answers hold all of them at once.

Unknown input fields are ignored. Source: https://www.atlascloud.ai/docs (predictions, upload-files, model pages).
"""

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, model_validator

from overpaint.api.json_lists import Listed
from overpaint.api.json_numbers import Number, Whole
from overpaint.core.request import MAX_SEED

Status = Literal["processing", "completed", "failed"]
Category = Literal["text-to-image", "image-to-image"]
EXAMPLE_ID = "9f0c6c1f0f6b4b58a0e3f3f6a1b2c3d4"


class GenerateInput(BaseModel):
    """What to paint; the fields stand in the body itself or below `input`."""

    model: str | None = Field(default=None, description="Required.", examples=["qwen/qwen-image-2.0/edit"])
    prompt: str | None = Field(default=None, description="Required.", examples=["make it blue"])
    images: Annotated[list[str], Listed] = Field(default=[], description="URLs, data URIs or base64.")
    image: str | None = Field(default=None, description="As one of `images`.")
    negative_prompt: str | None = None
    size: str | None = Field(default=None, description='"W*H".', examples=["1024*1024"])
    width: Whole | None = None
    height: Whole | None = None
    aspect_ratio: str | None = Field(default=None, examples=["16:9"])
    seed: Whole | None = Field(default=None, description=f"-1 for a fresh one, 0 to {MAX_SEED} to repeat.")
    num_images: Whole | None = None
    n: Whole | None = Field(default=None, description="As `num_images`.")
    steps: Whole | None = Field(default=None, description="Denoising steps.")
    num_inference_steps: Whole | None = Field(default=None, description="As `steps`.")
    guidance_scale: Number | None = Field(default=None, description="Above 1 doubles the work.")
    output_format: str | None = Field(default=None, description="png, jpeg or webp.")
    enable_prompt_expansion: bool | None = None
    enable_sync_mode: bool | None = Field(default=None, description="Answer when the pictures are there.")
    enable_base64_output: bool | None = Field(default=None, description="Pictures in the answer instead of URLs.")

    @model_validator(mode="before")
    @classmethod
    def lift_input(cls, value: Any) -> Any:
        """Some pages put everything but the model below `input`."""
        if not isinstance(value, dict):
            return value
        fields = cast("dict[str, Any]", value)
        return fields | fields["input"] if isinstance(fields.get("input"), dict) else fields


INPUTS = (GenerateInput,)
"""What a painting can be asked for with."""


class Urls(BaseModel):
    """Where to look."""

    get: str


class Prediction(BaseModel):
    """A task, as AtlasCloud shows one."""

    id: str = Field(examples=[EXAMPLE_ID])
    model: str
    status: Status
    outputs: list[str] | None = Field(default=None, description="URLs or base64; null until completed.")
    urls: Urls
    created_at: str = Field(examples=["2026-01-01T12:34:56.789Z"])
    has_nsfw_contents: list[bool]
    error: str = ""


class PredictionAnswer(BaseModel):
    """A prediction below `data`, as documented now, and beside it, as documented elsewhere."""

    code: int = 200
    message: str = "success"
    data: Prediction
    id: str = Field(examples=[EXAMPLE_ID])
    predictionId: str = Field(examples=[EXAMPLE_ID])  # noqa: N815 - AtlasCloud's spelling
    status: Status
    outputs: list[str] | None = None
    urls: Urls
    url: str
    error: str = ""


class Upload(BaseModel):
    """Where an upload can be read, by both of its names."""

    download_url: str
    url: str


class UploadAnswer(Upload):
    """An upload below `data` and beside it."""

    code: int = 200
    message: str = "success"
    data: Upload


class ModelCard(BaseModel):
    """A model."""

    uuid: str = Field(examples=["qwen/qwen-image-2.0/edit"])
    model: str = Field(examples=["qwen/qwen-image-2.0/edit"])
    type: Literal["Image"] = "Image"
    displayName: str  # noqa: N815 - AtlasCloud's spelling
    categories: list[Category]
    tags: list[str] = []
    schema_url: str = Field(serialization_alias="schema", description="Where its input is described.")


class ModelList(BaseModel):
    """All models."""

    code: int = 200
    message: str = "success"
    data: list[ModelCard]


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    code: int
    msg: str
    message: str
    data: None = None


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "A parameter is missing or cannot be used."},
    401: {"model": Refusal, "description": "No key, or not one of this server."},
    402: {"model": Refusal, "description": "Insufficient balance: the key's budget is spent."},
    404: {"model": Refusal, "description": "No such model or prediction."},
    413: {"model": Refusal, "description": "Too large."},
    429: {"model": Refusal, "description": "Too many requests; see Retry-After."},
    503: {"model": Refusal, "description": "Not now; see Retry-After."},
}
