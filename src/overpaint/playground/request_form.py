"""What the visitor set, as one value, and the draft that it asks for.

Checks nothing: the service does, and names the field that is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from overpaint.core.errors import RequestError
from overpaint.core.request import RANDOM_SEED, Acceleration, AdapterRef, Background, OutputFormat, OutputSpec
from overpaint.core.task import Priority
from overpaint.service.draft import Draft, PictureFile, PictureSource, PictureUrl, picture_source

AUTO = "auto"
FREE = "free"
DIALECT = "page"


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture in the form.

    Args:
        key: of a stored file; empty for one by URL.
        url: to show it, or to fetch it.
        name: for people.
        width: pixels; 0 where it is not known.
        height: pixels; 0 where it is not known.
    """

    key: str
    url: str
    name: str = ""
    width: int = 0
    height: int = 0

    @property
    def value(self) -> dict[str, Any]:
        """As the page's reference strip holds it."""
        return {"key": self.key, "url": self.url, "name": self.name, "width": self.width, "height": self.height}

    @property
    def source(self) -> PictureSource:
        """What a draft names."""
        if self.key:
            return PictureFile(self.key)
        return PictureUrl(self.url) if self.url.startswith("/") else picture_source(self.url)


@dataclass(frozen=True, slots=True)
class RequestForm:
    """All fields, as the page's inputs hold them; `shape` is a preset's name, `auto` or `free`.

    The sides are 0 where the shape is not free, and the seed is a random one where it is not locked.
    """

    prompt: str
    rewritten: str
    negative: str
    pictures: tuple[Reference, ...]
    mask: Reference | None
    model: str
    shape: str
    width: int
    height: int
    count: int
    seed: int
    is_batch: bool
    steps: int
    guidance: float
    adapters: tuple[AdapterRef, ...]
    acceleration: str
    format: str
    background: str

    @property
    def size(self) -> str | None:
        """As a draft names it."""
        if self.shape == FREE:
            return f"{self.width}x{self.height}"
        return None if self.shape == AUTO else self.shape

    @property
    def words(self) -> str:
        """The prompt that is painted: the rewritten one where there is one."""
        return self.rewritten.strip() or self.prompt

    def draft(self) -> Draft:
        """What is asked of the service.

        Raises:
            RequestError: format and background cannot be had together.
        """
        return Draft(
            model=self.model,
            prompt=self.words,
            dialect=DIALECT,
            negative_prompt=self.negative.strip() or None,
            pictures=tuple(picture.source for picture in self.pictures),
            mask=self.mask.source if self.mask else None,
            size=self.size,
            seed=self.seed,
            num_images=self.count,
            steps=self.steps,
            true_cfg_scale=self.guidance,
            adapters=self.adapters,
            acceleration=cast("Acceleration", self.acceleration),
            output=_output(self.format, self.background),
            priority=Priority.BATCH if self.is_batch else Priority.INTERACTIVE,
            enhance=False,
        )


def read_form(values: Mapping[str, Any]) -> RequestForm:
    """The form from the inputs' values, by their names.

    Raises:
        RequestError: a number is missing, or an adapter's strength is out of bounds.
    """
    references = cast("dict[str, Any]", values["references"] or {})
    mask = references.get("mask")
    adapters = cast("dict[str, Any]", values["adapters"] or {})
    is_free = values["shape"] == FREE
    return RequestForm(
        prompt=values["prompt"] or "",
        rewritten=values["rewritten"] or "",
        negative=values["negative"] or "",
        pictures=tuple(_reference(item) for item in references.get("pictures", ())),
        mask=_reference(mask) if mask else None,
        model=values["model"],
        shape=values["shape"],
        width=whole_number("width", values["width"]) if is_free else 0,
        height=whole_number("height", values["height"]) if is_free else 0,
        count=whole_number("count", values["count"]),
        seed=whole_number("seed", values["seed"]) if values["lock"] else RANDOM_SEED,
        is_batch=bool(values["batch"]),
        steps=whole_number("steps", values["steps"]),
        guidance=float(values["guidance"] or 1.0),
        adapters=tuple(_adapter(item) for item in adapters.get("chosen", ())),
        acceleration=values["acceleration"],
        format=values["format"],
        background=values["background"],
    )


def _reference(item: Mapping[str, Any]) -> Reference:
    return Reference(
        key=str(item.get("key") or ""),
        url=str(item.get("url") or ""),
        name=str(item.get("name") or ""),
        width=int(item.get("width") or 0),
        height=int(item.get("height") or 0),
    )


def _adapter(item: Mapping[str, Any]) -> AdapterRef:
    try:
        return AdapterRef(str(item["source"]), float(item["scale"]))
    except TypeError as exc:
        raise RequestError("adapters", item["scale"], "must have a number as its strength") from exc


def _output(file_format: str, background: str) -> OutputSpec:
    """The output's form; what is none is told by `OutputSpec`."""
    return OutputSpec(cast("OutputFormat", file_format), background=cast("Background", background))


def whole_number(name: str, value: object) -> int:
    """What a field for numbers holds, which is nothing once it was cleared.

    Raises:
        RequestError: it is no whole number.
    """
    if isinstance(value, int | float) and float(value).is_integer():
        return int(value)
    raise RequestError(name, value, "must be a whole number")
