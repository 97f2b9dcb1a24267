"""What the visitor set, as one value: from the form's fields to a draft, and from an earlier task back to the form.

Checks nothing: the service does, and names the field that is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from overpaint.core.errors import RequestError
from overpaint.core.request import RANDOM_SEED, Acceleration, AdapterRef, Background, OutputFormat, OutputSpec
from overpaint.core.sizes import PRESETS, Size
from overpaint.core.task import Priority, Task
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
    """All fields, as the page's inputs hold them; `shape` is a preset's name, `auto` or `free`."""

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
    is_seed_locked: bool
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
            seed=self.seed if self.is_seed_locked else RANDOM_SEED,
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
    return RequestForm(
        prompt=values["prompt"] or "",
        rewritten=values["rewritten"] or "",
        negative=values["negative"] or "",
        pictures=tuple(_reference(item) for item in references.get("pictures", ())),
        mask=_reference(mask) if mask else None,
        model=values["model"],
        shape=values["shape"],
        width=_whole(values, "width"),
        height=_whole(values, "height"),
        count=_whole(values, "count"),
        is_seed_locked=bool(values["lock"]),
        seed=_whole(values, "seed"),
        is_batch=bool(values["batch"]),
        steps=_whole(values, "steps"),
        guidance=float(values["guidance"] or 1.0),
        adapters=tuple(_adapter(item) for item in adapters.get("chosen", ())),
        acceleration=values["acceleration"],
        format=values["format"],
        background=values["background"],
    )


def settings_of(
    task: Task, pictures: tuple[Reference, ...], mask: Reference | None, adapters: tuple[AdapterRef, ...]
) -> dict[str, Any]:
    """What the form's inputs hold for an earlier task; its seed is locked.

    Args:
        task: the earlier one.
        pictures: its references, as they can be named now.
        mask: likewise.
        adapters: likewise.
    """
    spec = task.spec
    width, height = (spec.size.width, spec.size.height) if isinstance(spec.size, Size) else (None, None)
    values = {
        "prompt": spec.prompt,
        "rewritten": spec.enhanced_prompt or "",
        "negative": spec.negative_prompt or "",
        "references": strip_of(pictures, mask),
        "model": spec.model,
        "shape": _shape_of(spec.size),
        "width": width,
        "height": height,
        "count": spec.num_images,
        "lock": True,
        "seed": spec.seed,
        "batch": task.priority is Priority.BATCH,
        "steps": spec.steps,
        "guidance": spec.true_cfg_scale,
        "adapters": {"chosen": [{"source": one.source, "scale": one.scale} for one in adapters]},
        "acceleration": spec.acceleration,
        "format": spec.output.format,
        "background": spec.output.background,
    }
    return {name: value for name, value in values.items() if value is not None}


def strip_of(pictures: tuple[Reference, ...], mask: Reference | None) -> dict[str, Any]:
    """What the strip of references holds."""
    return {"pictures": [picture.value for picture in pictures], "mask": mask.value if mask else None}


def again(
    task: Task, pictures: tuple[Reference, ...], mask: Reference | None, adapters: tuple[AdapterRef, ...]
) -> Draft:
    """The same as an earlier task, with a fresh seed.

    Args:
        task: the earlier one.
        pictures: its references, as they can be named now.
        mask: likewise.
        adapters: likewise.
    """
    spec = task.spec
    return Draft(
        model=spec.model,
        prompt=spec.enhanced_prompt or spec.prompt,
        dialect=DIALECT,
        negative_prompt=spec.negative_prompt,
        pictures=tuple(picture.source for picture in pictures),
        mask=mask.source if mask else None,
        size=spec.size,
        num_images=spec.num_images,
        steps=spec.steps,
        true_cfg_scale=spec.true_cfg_scale,
        adapters=adapters,
        acceleration=spec.acceleration,
        output=spec.output,
        priority=task.priority,
        enhance=False,
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


def _shape_of(size: Size | float | None) -> str:
    if isinstance(size, Size):
        return FREE
    shapes = {width / height: name for name, (width, height) in PRESETS.items()}
    return AUTO if size is None else shapes.get(size, AUTO)


def _output(file_format: str, background: str) -> OutputSpec:
    """The output's form; what is none is told by `OutputSpec`."""
    return OutputSpec(cast("OutputFormat", file_format), background=cast("Background", background))


def _whole(values: Mapping[str, Any], name: str) -> int:
    try:
        return int(values[name])
    except (TypeError, ValueError) as exc:
        raise RequestError(name, values[name], "must be a whole number") from exc
