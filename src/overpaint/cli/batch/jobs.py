"""One line of a file of jobs: a JSON object, checked before anything is painted. Opens no pictures and knows no engine.

{"id": "sku-17", "prompt": "change the background to a white studio", "images": ["17.jpg"], "seed": 1}
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from overpaint.cli.options import pick
from overpaint.cli.output import Target
from overpaint.core.errors import RequestError
from overpaint.core.picture import Picture
from overpaint.core.request import BACKGROUNDS, MAX_PICTURES, OUTPUT_FORMATS, RANDOM_SEED, AdapterFile, OutputSpec
from overpaint.core.request import GenerationRequest as Request
from overpaint.core.sizes import parse_size
from overpaint.images.decode import read_picture
from overpaint.images.encode import SUFFIXES

_ID = re.compile(r"\w[\w.-]{0,59}")
ReadLora = Callable[[str, float], AdapterFile]


class Line(BaseModel):
    """What a line may say: the arguments of `Overpaint.edit` by their names, and how the result is written."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: str
    id: str | None = None
    images: list[str] = Field(default=[], max_length=MAX_PICTURES)
    mask: str | None = None
    size: str | None = None
    seed: int = RANDOM_SEED
    steps: int | None = None
    negative_prompt: str | None = None
    true_cfg_scale: float = 1.0
    num_images: int = 1
    loras: dict[str, float] = {}
    background: str = "auto"
    format: str | None = None
    quality: int | None = None

    @field_validator("images", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A line that broke no rule.

    Args:
        id: names its files.
        request: what to paint, without the pictures.
        images: files of the pictures.
        mask: file of the mask.
        digest: SHA-256 of what the line says; another digest, another job.
    """

    id: str
    request: Request
    images: tuple[Path, ...]
    mask: Path | None
    digest: str

    def target_in(self, folder: Path) -> Target:
        """The files that it leaves there: ``sku-17.png``, or ``sku-17-1.png``, ``sku-17-2.png`` and so on."""
        ending = next(ending for ending, kind in SUFFIXES.items() if kind == self.request.output.format)
        return Target(folder / f"{self.id}{ending}", self.request.num_images)

    def open(self) -> Request:
        """The whole request.

        Raises:
            RequestError: a picture cannot be used, or the mask does not fit.
        """
        pictures = tuple(read_picture(path, f"images[{place}]") for place, path in enumerate(self.images))
        mask: Picture | None = read_picture(self.mask, "mask") if self.mask else None
        return replace(self.request, pictures=pictures, mask=mask)


@dataclass(frozen=True, slots=True)
class JobReader:
    """Reads lines.

    Args:
        folder: what paths in them are relative to.
        output: how results are written where a line does not say.
        read_lora: an adapter by its file or name, and its scale.
    """

    folder: Path
    output: OutputSpec
    read_lora: ReadLora

    def read(self, number: int, text: str) -> BatchJob:
        """One line.

        Raises:
            RequestError: it breaks a rule; the error names the field.
        """
        try:
            line = Line.model_validate_json(text)
        except ValidationError as exc:
            raise _broken(exc) from exc
        if line.mask and not line.images:
            raise RequestError("mask", line.mask, "needs a picture to mask")
        request = self._request(line)
        images = tuple(self._file(f"images[{place}]", path) for place, path in enumerate(line.images))
        mask = self._file("mask", line.mask) if line.mask else None
        return BatchJob(
            _id(f"{number:06d}" if line.id is None else line.id), request, images, mask, _digest(line, request.output)
        )

    def _request(self, line: Line) -> Request:
        return Request(
            prompt=line.prompt,
            negative_prompt=line.negative_prompt,
            size=None if line.size is None else parse_size(line.size),
            seed=line.seed,
            num_images=line.num_images,
            steps=line.steps,
            true_cfg_scale=line.true_cfg_scale,
            adapters=tuple(self._lora(source, scale) for source, scale in line.loras.items()),
            output=OutputSpec(
                pick("format", line.format or self.output.format, OUTPUT_FORMATS),
                self.output.quality if line.quality is None else line.quality,
                pick("background", line.background, BACKGROUNDS),
            ),
        )

    def _lora(self, source: str, scale: float) -> AdapterFile:
        here = self.folder / source
        return self.read_lora(str(here) if here.is_file() else source, scale)

    def _file(self, field: str, path: str) -> Path:
        found = self.folder / path
        if not found.is_file():
            raise RequestError(field, path, f"is no file; it is looked for in '{self.folder}'")
        return found


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise RequestError("id", text, "must be 1 to 60 letters, digits, '_', '-' and '.', not beginning with - or .")
    return text


def _digest(line: Line, output: OutputSpec) -> str:
    whole = line.model_copy(update={"format": output.format, "quality": output.quality, "id": None})
    return hashlib.sha256(whole.model_dump_json().encode()).hexdigest()


def _broken(exc: ValidationError) -> RequestError:
    """The first finding, in our words."""
    first = exc.errors(include_url=False)[0]
    field = "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in first["loc"])
    match first["type"]:
        case "missing":
            return RequestError(field, None, "is missing; say what to paint")
        case "extra_forbidden":
            return RequestError(
                field, first["input"], f"is no field of a job; those are {', '.join(Line.model_fields)}"
            )
        case "json_invalid":
            return RequestError("line", first["input"], "must be one JSON object")
        case _:
            return RequestError(field or "line", first["input"], f"cannot be taken: {first['msg'].lower()}")
