"""An earlier task once more: as the form's fields hold it, and as a draft with another seed."""

from dataclasses import dataclass
from typing import Any

from overpaint.core.request import AdapterRef
from overpaint.core.sizes import PRESETS, Size
from overpaint.core.task import Priority, Task
from overpaint.playground.request_form import AUTO, DIALECT, FREE, Reference
from overpaint.service.draft import Draft


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier task.

    Args:
        task: itself.
        pictures: its references, as they can be named now.
        mask: likewise.
        adapters: likewise.
    """

    task: Task
    pictures: tuple[Reference, ...]
    mask: Reference | None
    adapters: tuple[AdapterRef, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """What the form's inputs hold for it; its seed is locked."""
        spec = self.task.spec
        width, height = (spec.size.width, spec.size.height) if isinstance(spec.size, Size) else (None, None)
        values = {
            "prompt": spec.prompt,
            "rewritten": spec.enhanced_prompt or "",
            "negative": spec.negative_prompt or "",
            "references": strip_of(self.pictures, self.mask),
            "model": spec.model,
            "shape": _shape_of(spec.size),
            "width": width,
            "height": height,
            "count": spec.num_images,
            "lock": True,
            "seed": spec.seed,
            "batch": self.task.priority is Priority.BATCH,
            "steps": spec.steps,
            "guidance": spec.true_cfg_scale,
            "adapters": {"chosen": [{"source": one.source, "scale": one.scale} for one in self.adapters]},
            "acceleration": spec.acceleration,
            "format": spec.output.format,
            "background": spec.output.background,
        }
        return {name: value for name, value in values.items() if value is not None}

    def again(self) -> Draft:
        """The same, with a fresh seed."""
        spec = self.task.spec
        return Draft(
            model=spec.model,
            prompt=spec.painted_prompt,
            dialect=DIALECT,
            negative_prompt=spec.negative_prompt,
            pictures=tuple(picture.source for picture in self.pictures),
            mask=self.mask.source if self.mask else None,
            size=spec.size,
            num_images=spec.num_images,
            steps=spec.steps,
            true_cfg_scale=spec.true_cfg_scale,
            adapters=self.adapters,
            acceleration=spec.acceleration,
            output=spec.output,
            priority=self.task.priority,
            enhance=False,
        )


def strip_of(pictures: tuple[Reference, ...], mask: Reference | None) -> dict[str, Any]:
    """What the strip of references holds."""
    return {"pictures": [picture.value for picture in pictures], "mask": mask.value if mask else None}


def _shape_of(size: Size | float | None) -> str:
    if isinstance(size, Size):
        return FREE
    shapes = {width / height: name for name, (width, height) in PRESETS.items()}
    return AUTO if size is None else shapes.get(size, AUTO)
