"""The one request type: text to picture, edit, several references, mask, all of it.

Valid by construction: whoever holds a `GenerationRequest` need not check it again. What depends on the loaded
checkpoint (token limit, size rules) is checked at the engine's door. Knows nothing of any vendor's wire.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from overpaint.core.errors import RequestError
from overpaint.core.picture import Picture
from overpaint.core.sizes import Size

MAX_SEED = 2**31 - 1
RANDOM_SEED = -1
MAX_PICTURES = 10
MAX_IMAGES = 6
MAX_STEPS = 200
MAX_CFG_SCALE = 30.0
MAX_ADAPTERS = 4

OutputFormat = Literal["png", "jpeg", "webp"]
Acceleration = Literal["none", "regular", "high"]
Background = Literal["auto", "opaque", "transparent"]
ACCELERATIONS: tuple[Acceleration, ...] = ("none", "regular", "high")
OUTPUT_FORMATS: tuple[OutputFormat, ...] = ("png", "jpeg", "webp")
BACKGROUNDS: tuple[Background, ...] = ("auto", "opaque", "transparent")

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What JSON and command lines can bring that no tokenizer takes."""


@dataclass(frozen=True, slots=True)
class AdapterRef:
    """A LoRA adapter as a caller names it.

    Args:
        source: a name, a URL or a hub id.
        scale: how strongly to apply it, -4..4; 1 as trained.
        weight_name: the file, where the source holds several.
    """

    source: str
    scale: float = 1.0
    weight_name: str | None = None

    def __post_init__(self) -> None:
        _require("adapters", self.source, bool(self.source.strip()), "must be a name or a URL")
        _require("adapters", self.scale, -4 <= self.scale <= 4, "must have a scale of -4 to 4")


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """A LoRA adapter that an engine can open.

    Args:
        name: how people know it.
        digest: SHA-256 of the file in hex; equal digests, equal adapters.
        path: the safetensors file, where the engine runs.
        scale: how strongly to apply it, -4..4; 1 as trained.
    """

    name: str
    digest: str
    path: str
    scale: float = 1.0

    def __post_init__(self) -> None:
        _require("adapters", self.scale, -4 <= self.scale <= 4, "must have a scale of -4 to 4")


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """How the result is written.

    Args:
        format: container of the written file.
        quality: 1..100 for jpeg and webp (100 is lossless webp); png ignores it.
        background: ``"transparent"`` asks the model for alpha and keeps it; ``"opaque"`` flattens on white;
            ``"auto"`` keeps alpha when the picture has any and the format can hold it.
    """

    format: OutputFormat = "png"
    quality: int = 95
    background: Background = "auto"

    def __post_init__(self) -> None:
        _require("format", self.format, self.format in OUTPUT_FORMATS, f"must be one of {', '.join(OUTPUT_FORMATS)}")
        _require("quality", self.quality, 1 <= self.quality <= 100, "must be 1 to 100")
        _require(
            "background", self.background, self.background in BACKGROUNDS, f"must be one of {', '.join(BACKGROUNDS)}"
        )
        transparent_jpeg = self.format == "jpeg" and self.background == "transparent"
        _require("background", self.background, not transparent_jpeg, "cannot be written as jpeg; use png or webp")


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A picture to paint, from words and any number of reference pictures.

    Args:
        prompt: what to paint or what to change; not blank.
        negative_prompt: what to steer away from; takes effect with `true_cfg_scale` above 1.
        pictures: 0 to 10 references in the order the prompt counts them.
        mask: white where the first picture may change; same sides as that picture.
        size: exact sides, an aspect (width over height) painted at the default area, or None: the last
            picture's shape, else square.
        seed: 0..2147483647, or -1 for a fresh one. Image `i` of a request uses `seed + i`.
        num_images: 1..6.
        steps: 1..200 denoising steps, or None for the checkpoint's own.
        true_cfg_scale: 1..30; 1 is no guidance.
        adapters: up to 4 LoRA adapters; what they change is added up.
        acceleration: how much of the work of steps that change little may be left out.
        output: how the result is written.

    Raises:
        RequestError: a field breaks its rule; the error names field, value and rule.
    """

    prompt: str
    negative_prompt: str | None = None
    pictures: tuple[Picture, ...] = ()
    mask: Picture | None = None
    size: Size | float | None = None
    seed: int = RANDOM_SEED
    num_images: int = 1
    steps: int | None = None
    true_cfg_scale: float = 1.0
    adapters: tuple[AdapterFile, ...] = ()
    acceleration: Acceleration = "none"
    output: OutputSpec = field(default_factory=OutputSpec)

    def __post_init__(self) -> None:
        _require("prompt", self.prompt, bool(self.prompt.strip()), "must not be blank")
        for name, text in (("prompt", self.prompt), ("negative_prompt", self.negative_prompt or "")):
            _require(name, ascii(text), not _NO_TEXT.search(text), "must be text without null and half characters")
        count = len(self.pictures)
        _require("images", count, count <= MAX_PICTURES, f"are too many; give at most {MAX_PICTURES}")
        seed_ok = RANDOM_SEED <= self.seed <= MAX_SEED
        _require("seed", self.seed, seed_ok, f"must be 0 to {MAX_SEED}, or {RANDOM_SEED} for a fresh one")
        _require("num_images", self.num_images, 1 <= self.num_images <= MAX_IMAGES, f"must be 1 to {MAX_IMAGES}")
        steps_ok = self.steps is None or 1 <= self.steps <= MAX_STEPS
        _require("steps", self.steps, steps_ok, f"must be 1 to {MAX_STEPS}")
        scale_ok = 1 <= self.true_cfg_scale <= MAX_CFG_SCALE
        _require("true_cfg_scale", self.true_cfg_scale, scale_ok, f"must be 1 to {MAX_CFG_SCALE:g}")
        check_adapter_count(len(self.adapters))
        known = self.acceleration in ACCELERATIONS
        _require("acceleration", self.acceleration, known, f"must be one of {', '.join(ACCELERATIONS)}")
        self._check_size()
        self._check_mask()

    def _check_size(self) -> None:
        if isinstance(self.size, Size):
            positive = self.size.width > 0 and self.size.height > 0
            _require("size", str(self.size), positive, "must have sides above 0")
        elif self.size is not None:
            _require("size", self.size, 0 < self.size < float("inf"), "must be a positive aspect (width over height)")

    def _check_mask(self) -> None:
        if self.mask is None:
            return
        mask = f"{self.mask.width}x{self.mask.height}"
        _require("mask", mask, bool(self.pictures), "needs a picture to mask")
        first = self.pictures[0]
        same = (self.mask.width, self.mask.height) == (first.width, first.height)
        _require("mask", mask, same, f"must have the sides of the first picture, {first.width}x{first.height}")

    @property
    def uses_guidance(self) -> bool:
        """Whether a second, negative branch is computed."""
        return self.true_cfg_scale > 1 and self.negative_prompt is not None

    def seed_of(self, index: int) -> int:
        """Seed of image `index`; the request's own seed must be resolved (not -1)."""
        return (self.seed + index) % (MAX_SEED + 1)


def check_adapter_count(count: int) -> None:
    """See that a request has no more adapters than it may.

    Raises:
        RequestError: it has.
    """
    _require("adapters", count, count <= MAX_ADAPTERS, f"are too many; give at most {MAX_ADAPTERS}")


def _require(field_name: str, value: object, ok: bool, rule: str) -> None:
    if not ok:
        raise RequestError(field_name, value, rule)
