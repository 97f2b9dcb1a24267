"""fal's endpoints: what each takes, the guidance it documents, and which of the two answers it gives."""

from dataclasses import dataclass

from overpaint.api.dialects.fal.schemas import (
    AnyInput,
    EditInput,
    EditLoraInput,
    EditPlusInput,
    EditPlusLoraInput,
    InpaintInput,
    LayeredInput,
    LayeredLoraInput,
    NewEditInput,
    NewTextInput,
    Text2512Input,
    Text2512LoraInput,
    TextInput,
)
from overpaint.api.named_sizes import SizeName
from overpaint.core.errors import TaskNotFoundError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of them.

    Args:
        id: as it is called (``"fal-ai/qwen-image-edit"``).
        body: what it takes.
        guidance: its documented scale, taken when a request is guided and names none.
        size: the shape when a request names none; None is the last picture's.
    """

    id: str
    body: type[AnyInput]
    guidance: float = 4.0
    size: SizeName | None = None

    @property
    def is_new(self) -> bool:
        """Whether it is one of 2.0 or max, which answer with less."""
        return issubclass(self.body, NewTextInput)


_ALL = (
    Endpoint("fal-ai/qwen-image", TextInput, 2.5, "landscape_4_3"),
    Endpoint("fal-ai/qwen-image-2512", Text2512Input, 5.0, "landscape_4_3"),
    Endpoint("fal-ai/qwen-image-2512/lora", Text2512LoraInput, 4.0, "landscape_4_3"),
    Endpoint("fal-ai/qwen-image-edit", EditInput),
    Endpoint("fal-ai/qwen-image-edit-lora", EditLoraInput),
    Endpoint("fal-ai/qwen-image-edit/inpaint", InpaintInput),
    Endpoint("fal-ai/qwen-image-edit-plus", EditPlusInput, 4.5),
    Endpoint("fal-ai/qwen-image-edit-plus-lora", EditPlusLoraInput, 4.5),
    Endpoint("fal-ai/qwen-image-edit-2509", EditPlusInput, 4.5),
    Endpoint("fal-ai/qwen-image-edit-2509-lora", EditPlusLoraInput, 4.5),
    Endpoint("fal-ai/qwen-image-edit-2511", EditPlusInput, 4.5),
    Endpoint("fal-ai/qwen-image-edit-2511/lora", EditPlusLoraInput, 4.5),
    Endpoint("fal-ai/qwen-image-layered", LayeredInput, 5.0),
    Endpoint("fal-ai/qwen-image-layered/lora", LayeredLoraInput, 5.0),
    Endpoint("fal-ai/qwen-image-2/text-to-image", NewTextInput, size="square_hd"),
    Endpoint("fal-ai/qwen-image-2/edit", NewEditInput),
    Endpoint("fal-ai/qwen-image-2/pro/text-to-image", NewTextInput, size="square_hd"),
    Endpoint("fal-ai/qwen-image-2/pro/edit", NewEditInput),
    Endpoint("fal-ai/qwen-image-max/text-to-image", NewTextInput, size="square_hd"),
    Endpoint("fal-ai/qwen-image-max/edit", NewEditInput),
)
ENDPOINTS: dict[str, Endpoint] = {endpoint.id: endpoint for endpoint in _ALL}


def endpoint_at(app: str) -> Endpoint:
    """The endpoint of a path.

    Raises:
        TaskNotFoundError: there is none.
    """
    found = ENDPOINTS.get(app.strip("/"))
    if found is None:
        raise TaskNotFoundError(f'Application "{app.strip("/")[:200]}" not found')
    return found


def alias_of(app: str) -> str:
    """Owner and alias of an endpoint, which all that is asked of its requests is asked of."""
    return "/".join(app.strip("/").split("/")[:2])
