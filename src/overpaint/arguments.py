"""What a program gives `Overpaint` as arguments, to the plain values of a request: any number, picture, text or file.

Whatever is of the wrong kind is a `RequestError` with the argument's name. Leaves the rules to the request. Knows no
engine.
"""

from collections.abc import Iterable, Mapping, Sequence
from io import IOBase
from operator import index
from pathlib import Path
from typing import SupportsFloat, SupportsIndex, cast

from PIL import Image

from overpaint.core.errors import PictureError, RequestError
from overpaint.core.picture import Picture
from overpaint.core.request import AdapterFile, check_adapter_count
from overpaint.core.sizes import Size, parse_size
from overpaint.images.decode import decode_picture, read_picture, take_pil
from overpaint.lora.folder import open_file

AnyImage = Image.Image | Path | str | bytes
AnyLoras = Mapping[str, float] | Mapping[Path, float]
_ALONE = (Image.Image, Path, str, bytes, bytearray, memoryview, IOBase)
"""What is one thing, though some of it can be walked through."""


def text(field: str, value: str) -> str:
    """What `value` says.

    Raises:
        RequestError: it is no text.
    """
    if not isinstance(cast("object", value), str):
        raise RequestError(field, value, "must be text")
    return value


def whole(field: str, value: SupportsIndex) -> int:
    """A plain int: numpy's are not what generators of noise and writers of JSON take.

    Raises:
        RequestError: it is no whole number.
    """
    try:
        return index(value)
    except TypeError as exc:
        raise RequestError(field, value, "must be a whole number") from exc


def real(field: str, value: SupportsFloat) -> float:
    """A plain float, likewise.

    Raises:
        RequestError: it is no number.
    """
    try:
        return float(value)
    except (TypeError, ValueError) as exc:
        raise RequestError(field, value, "must be a number") from exc


def size(value: str | Sequence[int] | None) -> Size | float | None:
    """Sides, a shape, or None for what follows from the pictures.

    Raises:
        RequestError: it is neither.
    """
    if value is None or isinstance(value, str):
        return None if value is None else parse_size(value)
    try:
        width, height = value
    except (TypeError, ValueError) as exc:
        raise RequestError("size", value, "must be a width and a height, or a text such as '512x512'") from exc
    return Size(whole("size", width), whole("size", height))


def pictures(images: object) -> tuple[Picture, ...]:
    """One picture or several, as they come.

    Raises:
        PictureError: one of them cannot be used; it names its place.
    """
    is_several = isinstance(images, Iterable) and not isinstance(images, _ALONE)
    several = cast("Iterable[object]", images) if is_several else (cast("object", images),)
    return tuple(picture(f"images[{place}]", image) for place, image in enumerate(several))


def picture(field: str, image: object) -> Picture:
    """One picture.

    Raises:
        PictureError: it cannot be used.
    """
    match image:
        case Image.Image():
            return take_pil(image, field)
        case bytes():
            return decode_picture(image, field)
        case str() | Path():
            return read_picture(Path(image), field)
        case _:
            raise PictureError(field, type(image).__name__, "must be a PIL image, a path, or the bytes of a file")


def loras(given: AnyLoras | None) -> tuple[AdapterFile, ...]:
    """LoRA files with their scales.

    Raises:
        RequestError: it is no mapping, a file cannot be used, a scale is out of bounds, or there are too many.
    """
    if given is None:
        return ()
    if not isinstance(cast("object", given), Mapping):
        raise RequestError(
            "loras", type(given).__name__, "must map files to scales, as {'pencil.safetensors': 0.8} does"
        )
    try:
        check_adapter_count(len(given))
        return tuple(_lora(file, scale) for file, scale in given.items())
    except RequestError as exc:
        raise RequestError("loras", exc.value, exc.rule) from exc


def _lora(file: object, scale: float) -> AdapterFile:
    if not isinstance(file, str | Path):
        raise RequestError("loras", file, "must be a path")
    return open_file(Path(file), real("loras", scale), "loras")
