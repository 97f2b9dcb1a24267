"""`Overpaint`: the engine as one Python object, for notebooks and scripts. Takes and gives PIL images.

    with Overpaint() as painter:
        [image] = painter.edit("replace the apple with a banana", ["apple.png"], seed=1)

Knows no terminal. Every argument means what the command line's flag of that name means.
"""

from collections.abc import Iterable, Mapping, Sequence
from io import IOBase
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Self, SupportsFloat, SupportsIndex, cast
from weakref import finalize

from PIL import Image

from overpaint.compose.engine import open_engine
from overpaint.core.errors import PictureError, RequestError
from overpaint.core.model_info import ModelInfo
from overpaint.core.picture import Picture
from overpaint.core.request import RANDOM_SEED, Background, GenerationRequest, OutputSpec
from overpaint.core.result import GenerationResult
from overpaint.core.sizes import Size, parse_size
from overpaint.images.decode import decode_picture, read_picture, take_pil
from overpaint.images.metadata import KEY, as_json, recipe_of
from overpaint.images.pil import to_pil
from overpaint.lora.folder import open_file
from overpaint.painting import Watcher, paint
from overpaint.settings import read_model_config
from overpaint.version import __version__

AnyImage = Image.Image | Path | str | bytes
_ALONE = (Image.Image, Path, str, bytes, bytearray, memoryview, IOBase)
"""What is one thing, though some of it can be walked through."""


class Overpaint:
    """A loaded checkpoint that paints and edits.

    Args:
        model: folder or hub id of a checkpoint; None is `OVERPAINT_MODEL`, else the bundled one.
        device: auto, cuda, cuda:N, mps or cpu; None is `OVERPAINT_DEVICE`, else auto.
        dtype: auto, bfloat16, float16 or float32; None is `OVERPAINT_DTYPE`, else auto.
        memory: auto, resident or offload; None is `OVERPAINT_MEMORY`, else auto.
        weights: bf16, fp8, int8 or int4; None is `OVERPAINT_WEIGHTS`, else bf16.
        transformer: GGUF file of the transformer's weights; None is `OVERPAINT_TRANSFORMER`, else the checkpoint's own.

    Raises:
        ConfigError: the checkpoint or the device cannot be used.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        device: str | None = None,
        dtype: str | None = None,
        *,
        memory: str | None = None,
        weights: str | None = None,
        transformer: str | Path | None = None,
    ) -> None:
        given = {
            "model": None if model is None else str(model),
            "device": device,
            "dtype": dtype,
            "memory": memory,
            "weights": weights,
            "transformer": None if transformer is None else Path(transformer),
        }
        self._engine = open_engine(read_model_config(given))
        # Closed at the program's end at the latest: a thread that is inside torch when the interpreter goes aborts it.
        self._close = finalize(self, self._engine.close)

    @property
    def info(self) -> ModelInfo:
        """The loaded checkpoint."""
        return self._engine.info

    def generate(
        self,
        prompt: str,
        *,
        size: str | Sequence[int] | None = None,
        seed: int = RANDOM_SEED,
        steps: int | None = None,
        negative_prompt: str | None = None,
        true_cfg_scale: float = 1.0,
        num_images: int = 1,
        background: Background = "auto",
        loras: Mapping[str, float] | Mapping[Path, float] | None = None,
        watch: Watcher | None = None,
    ) -> list[Image.Image]:
        """Paint from words alone; see `edit` for the arguments."""
        return self.edit(
            prompt,
            (),
            size=size,
            seed=seed,
            steps=steps,
            negative_prompt=negative_prompt,
            true_cfg_scale=true_cfg_scale,
            num_images=num_images,
            background=background,
            loras=loras,
            watch=watch,
        )

    def edit(
        self,
        prompt: str,
        images: AnyImage | Iterable[AnyImage],
        *,
        mask: AnyImage | None = None,
        size: str | Sequence[int] | None = None,
        seed: int = RANDOM_SEED,
        steps: int | None = None,
        negative_prompt: str | None = None,
        true_cfg_scale: float = 1.0,
        num_images: int = 1,
        background: Background = "auto",
        loras: Mapping[str, float] | Mapping[Path, float] | None = None,
        watch: Watcher | None = None,
    ) -> list[Image.Image]:
        """Paint from words and pictures.

        Args:
            prompt: what to change, or what to make of the pictures.
            images: up to 10 pictures in the order the prompt counts them: PIL images, paths, or bytes of a file.
            mask: white where the first picture may change; what is black stays the same to the byte.
            size: ``"512x512"``, ``(512, 512)`` (width, height in pixels), ``"16:9"``, or None for the last
                picture's shape.
            seed: 0..2147483647, or -1 for a fresh one; picture `i` uses ``seed + i``.
            steps: 1..200, or None for the checkpoint's own.
            negative_prompt: what to steer away from, with `true_cfg_scale` above 1.
            true_cfg_scale: 1..30; 1 is no guidance.
            num_images: 1..6.
            background: auto, opaque or transparent.
            loras: LoRA files with their scales (``{"pencil.safetensors": 0.8}``), up to 4; 1 is as trained.
            watch: told every event while it paints.

        Returns:
            RGB or RGBA images; ``image.info["overpaint"]`` is a JSON text with the seed and all that repeats it.

        Raises:
            RequestError: an argument breaks its rule.
        """
        request = GenerationRequest(
            prompt=prompt,
            pictures=_pictures_of(images),
            mask=None if mask is None else _picture_of(mask, "mask"),
            size=_size_of(size),
            seed=_whole("seed", seed),
            steps=None if steps is None else _whole("steps", steps),
            negative_prompt=negative_prompt,
            true_cfg_scale=_real("true_cfg_scale", true_cfg_scale),
            num_images=_whole("num_images", num_images),
            adapters=tuple(open_file(Path(file), scale, "loras") for file, scale in (loras or {}).items()),
            output=OutputSpec(background=background),
        )
        return _images_of(request, paint(self._engine, request, watch))

    def close(self) -> None:
        """Free the device; can be called twice, and happens by itself when nobody holds this any more."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _size_of(size: str | Sequence[int] | None) -> Size | float | None:
    if size is None or isinstance(size, str):
        return None if size is None else parse_size(size)
    try:
        width, height = size
    except (TypeError, ValueError) as exc:
        raise RequestError("size", size, "must be a width and a height, or a text such as '512x512'") from exc
    return Size(_whole("size", width), _whole("size", height))


def _whole(field: str, value: SupportsIndex) -> int:
    """A plain int: numpy's are not what generators of noise and writers of JSON take."""
    try:
        return index(value)
    except TypeError as exc:
        raise RequestError(field, value, "must be a whole number") from exc


def _real(field: str, value: SupportsFloat) -> float:
    """A plain float, likewise."""
    try:
        return float(value)
    except (TypeError, ValueError) as exc:
        raise RequestError(field, value, "must be a number") from exc


def _pictures_of(images: object) -> tuple[Picture, ...]:
    is_several = isinstance(images, Iterable) and not isinstance(images, _ALONE)
    several = cast("Iterable[object]", images) if is_several else (cast("object", images),)
    return tuple(_picture_of(image, f"images[{place}]") for place, image in enumerate(several))


def _picture_of(image: object, field: str) -> Picture:
    match image:
        case Image.Image():
            return take_pil(image, field)
        case bytes():
            return decode_picture(image, field)
        case str() | Path():
            return read_picture(Path(image), field)
        case _:
            raise PictureError(field, type(image).__name__, "must be a PIL image, a path, or the bytes of a file")


def _images_of(request: GenerationRequest, result: GenerationResult) -> list[Image.Image]:
    software = f"overpaint {__version__}"
    images = [to_pil(painted.picture) for painted in result.images]
    for place, image in enumerate(images):
        image.info[KEY] = as_json(recipe_of(request, result, place, software))
    return images
