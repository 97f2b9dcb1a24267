"""What a snippet is made from, and what a snippet is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from overpaint.core.sizes import Size, parse_size
from overpaint.service.draft import Draft

Language = Literal["bash", "python", "javascript"]
KEY_VARIABLE = "OVERPAINT_KEY"


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """A request, with everything that its code needs.

    Args:
        draft: what is asked.
        pictures: URLs of the references, readable without a key.
        mask: URL of the mask.
        base: of this server (``"http://localhost:8000"``).
        key: put into the code; None reads it from the environment.
    """

    draft: Draft
    base: str
    pictures: tuple[str, ...] = ()
    mask: str | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def size(self) -> Size | None:
        """The exact size, where one is asked for."""
        asked = self.draft.size
        parsed = parse_size(asked) if isinstance(asked, str) else asked
        return parsed if isinstance(parsed, Size) else None

    @property
    def shape(self) -> str | None:
        """The size as a word of the request: ``16:9`` or ``640x480``."""
        return self.draft.size if isinstance(self.draft.size, str) else None


@dataclass(frozen=True, slots=True)
class Snippet:
    """A way to ask in code.

    Args:
        name: stable id.
        title: for people.
        language: of the code.
        dialect: that must be spoken (``"native"`` always is).
        render: makes the code.
        needs: what has to be installed first, as a command; empty for nothing.
    """

    name: str
    title: str
    language: Language
    dialect: str
    render: Callable[[CodeRequest], str]
    needs: str = ""


def python_value(value: Any, indent: int = 4) -> str:
    """A value as Python writes it, dictionaries and lists over several lines."""
    pad = " " * indent
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return (
            "{\n" + "".join(f"{pad}    {key!r}: {python_value(item, indent + 4)},\n" for key, item in items) + pad + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(python_value(item, indent) for item in cast("list[Any]", value)) + "]"
    return repr(value)


def python_key(request: CodeRequest) -> str:
    """The key as a Python expression."""
    return repr(request.key) if request.key else f'os.environ["{KEY_VARIABLE}"]'


def loras(request: CodeRequest) -> list[dict[str, Any]] | None:
    """The adapters as several vendors write them; None without any."""
    return [{"path": one.source, "scale": one.scale} for one in request.draft.adapters] or None


def left_out(missing: Mapping[str, bool]) -> str:
    """A comment about what was set (true) and cannot be said in a dialect, by names; empty where there is none."""
    names = ", ".join(name for name, is_set in missing.items() if is_set)
    return f"# This API has no words for: {names}.\n" if names else ""


def native_body(request: CodeRequest) -> dict[str, Any]:
    """The body of ``POST /overpaint/v1/tasks``, without what is the default anyway."""
    draft = request.draft
    output = {"format": draft.output.format, "background": draft.output.background}
    fields: dict[str, Any] = {
        "model": draft.model,
        "prompt": draft.prompt,
        "negative_prompt": draft.negative_prompt,
        "images": list(request.pictures) or None,
        "mask": request.mask,
        "size": request.shape,
        "seed": draft.seed,
        "num_images": draft.num_images,
        "steps": draft.steps,
        "true_cfg_scale": draft.true_cfg_scale,
        "adapters": [{"source": one.source, "scale": one.scale} for one in draft.adapters] or None,
        "acceleration": None if draft.acceleration == "none" else draft.acceleration,
        "output": None if output == {"format": "png", "background": "auto"} else output,
        "enhance": draft.enhance,
    }
    return {name: value for name, value in fields.items() if value is not None}
