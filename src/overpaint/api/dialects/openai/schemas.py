"""OpenAI's bodies, as its client 3.52.0 and its API reference have them, with the fields that vLLM-Omni and SGLang add.

One model takes them all: a field means the same in a generation and in an edit. Unknown fields are refused, as there.
"""

from typing import Annotated, Any, Literal
from zlib import crc32

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from overpaint.api.json_lists import Listed
from overpaint.api.json_numbers import Number, Whole

Quality = Literal["low", "medium", "high"]
Flag = bool | None
LEVELS = {"maximum": 100, "high": 90, "medium": 55, "low": 35, "default": None}
"""SGLang's words for how well a picture is kept; None leaves it to this server."""


def _levelled(value: Any) -> Any:
    return LEVELS.get(value, value) if isinstance(value, str) else value


Level = Annotated[Whole | None, BeforeValidator(_levelled)]


def _folded(value: Any) -> Any:
    """A seed in letters as a number, the same one each time: Dify makes up and repeats such."""
    is_word = isinstance(value, str) and value.isalnum() and not value.isdecimal()
    return crc32(value.encode()) if is_word else value


Seed = Annotated[Whole | list[Whole] | None, BeforeValidator(_folded)]


class PictureRef(BaseModel):
    """A picture of a JSON edit."""

    image_url: str | None = Field(default=None, description="URL, data URI or base64.")
    file_id: str | None = Field(default=None, description="Of `POST /v1/files`.")


class LoraRef(BaseModel):
    """An adapter, as vLLM-Omni names one."""

    path: str | None = None
    name: str | None = None
    scale: float = Field(default=1.0, allow_inf_nan=False)
    int_id: Any = None


PictureText = str | PictureRef


class ImageInput(BaseModel):
    """What to paint."""

    model_config = ConfigDict(extra="forbid")

    prompt: str | None = Field(default=None, description="Required, but for variations.", examples=["a red apple"])
    model: str | None = Field(default=None, description="An id of `GET /v1/models`; the server's first without.")
    n: Whole | None = Field(default=None, description="Pictures.", examples=[1])
    size: str | None = Field(default=None, description="`WIDTHxHEIGHT` or `auto`.", examples=["1024x1024"])
    width: Whole | None = Field(default=None, description="With `height`, instead of `size`.")
    height: Whole | None = None
    quality: str | None = Field(default=None, description="auto, low, medium, high, xhigh or max.")
    background: str | None = Field(default=None, description="auto, transparent or opaque.")
    output_format: str | None = Field(default=None, description="png, jpeg or webp.", examples=["png"])
    output_compression: Whole | None = Field(default=None, description="0 to 100, for jpeg and webp.")
    output_quality: Level = Field(default=None, description="As `output_compression`, or a word for it.")
    response_format: str | None = Field(default=None, description="b64_json, url or file.")
    stream: Flag = Field(default=None, description="Answer with server-sent events.")
    partial_images: Whole | None = Field(default=None, description="0 to 3 looks while it is painted.")
    image: Annotated[list[PictureText], Listed] = Field(default=[], description="URLs, data URIs or base64.")
    images: Annotated[list[PictureText], Listed] = Field(default=[], description="As `image`.")
    url: Annotated[list[str], Listed] = Field(default=[], description="URLs or data URIs; they come after the files.")
    mask: PictureText | None = Field(default=None, description="Transparent where the first picture may change.")
    mask_image: PictureText | None = Field(default=None, description="As `mask`; an opaque one is white there.")
    negative_prompt: str | None = None
    num_inference_steps: Whole | None = Field(default=None, description="Denoising steps.")
    true_cfg_scale: Number | None = Field(default=None, ge=0, allow_inf_nan=False, description="1 is no guidance.")
    guidance_scale: Number | None = Field(default=None, ge=0, allow_inf_nan=False, description="As `true_cfg_scale`.")
    seed: Seed = Field(default=None, description="Repeats a picture; -1 is a fresh one.")
    enhance_prompt: Flag = Field(default=None, description="Whether to enrich the prompt.")
    enable_teacache: Flag = Field(default=None, description="Leave out work of steps that change little.")
    enable_cache_dit: Flag = Field(default=None, description="As `enable_teacache`.")
    lora: LoraRef | None = Field(default=None, description="An adapter.")
    safety_identifier: str | None = Field(default=None, description="Comes back in the answer.")
    user: str | None = Field(default=None, description="As `safety_identifier`.")

    # Other pictures than the loaded checkpoint paints: refused when they ask for anything.
    svg: Any = None
    frame_count: Any = None
    frame_duration_ms: Any = None
    markup: Any = None
    layers: Any = None
    resolution: Any = None
    strength: Any = None
    flow_shift: Any = None
    guidance_scale_2: Any = None
    reference_image: Any = None
    system_prompt: Any = None
    use_system_prompt: Any = None
    enable_upscaling: Any = None

    # How others' engines work, and what this one does in any case: accepted, without effect.
    style: Any = None
    moderation: Any = None
    input_fidelity: Any = None
    complexity: Any = None
    prompt_rewriter: Any = None
    generator_device: Any = None
    vae_use_slicing: Any = None
    vae_use_tiling: Any = None
    return_stage_metrics: Any = None
    bot_task: Any = None
    sys_type: Any = None
    task_type: Any = None
    max_sequence_length: Any = None
    upscaling_model_path: Any = None
    upscaling_scale: Any = None
    diffusers_kwargs: Any = None
    cache_dit_params: Any = None
    cfg_gate_step: Any = None
    attention_backend_override: Any = None
    perf_dump_path: Any = None
    profile: Any = None
    progressive_mode: Any = None
    progressive_levels: Any = None
    progressive_delta: Any = None

    @property
    def unsupported(self) -> dict[str, Any]:
        """By name, what would need another checkpoint or another kind of output."""
        asked = {
            "svg": self.svg,
            "frame_count": self.frame_count,
            "frame_duration_ms": self.frame_duration_ms,
            "markup": self.markup,
            "layers": self.layers,
            "resolution": self.resolution,
            "strength": self.strength,
            "flow_shift": self.flow_shift,
            "guidance_scale_2": self.guidance_scale_2,
            "reference_image": self.reference_image,
            "system_prompt": self.system_prompt,
            "use_system_prompt": self.use_system_prompt,
            "enable_upscaling": self.enable_upscaling,
        }
        return {name: value for name, value in asked.items() if value not in (None, False, "", [], {})}


INPUTS = (ImageInput,)


class Image(BaseModel):
    """One picture: `b64_json` or `url`."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class InputTokens(BaseModel):
    """What the input weighs."""

    text_tokens: int
    image_tokens: int


class Usage(BaseModel):
    """What a call weighs; see the dialect's page for how it is counted."""

    total_tokens: int
    input_tokens: int
    output_tokens: int
    input_tokens_details: InputTokens
    output_tokens_details: InputTokens


class ImagesAnswer(BaseModel):
    """The pictures, and what was made of the words `auto`."""

    id: str = Field(description="Of the task; see `GET /v1/images/{id}/content`.")
    created: int
    background: Literal["transparent", "opaque"]
    output_format: Literal["png", "jpeg", "webp"]
    quality: Quality
    size: str = Field(examples=["1024x1024"])
    data: list[Image]
    usage: Usage
    safety_identifier: str | None = None


class ModelCard(BaseModel):
    """A model."""

    id: str = Field(examples=["qwen-image-2.0"])
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "overpaint"


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class FileCard(BaseModel):
    """An uploaded picture."""

    id: str = Field(examples=["file-019a0c6c1f0f6b4b58a0e3f3f6a1b2c3"])
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str = "vision"
    status: Literal["processed"] = "processed"


class FileList(BaseModel):
    """Uploaded pictures, newest first."""

    object: Literal["list"] = "list"
    data: list[FileCard]
    has_more: bool = False
