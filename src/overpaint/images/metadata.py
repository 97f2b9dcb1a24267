"""What a written picture says about itself: how it was made, so that it can be made again.

One JSON object under the name `overpaint`, plus the fields that picture viewers show. PNG keeps both as text chunks,
JPEG and WebP in EXIF (ImageDescription, Software, UserComment). The JSON is ASCII with escapes, because EXIF readers
disagree on every other encoding. A JPEG has room for 64 KiB of it, which long prompts exceed. Knows nothing of engines.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from overpaint.core.request import GenerationRequest
from overpaint.core.result import GenerationResult

KEY = "overpaint"
_ASCII_COMMENT = b"ASCII\0\0\0"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one picture was made.

    Args:
        prompt: as given.
        negative_prompt: as given, or None.
        model: name of the checkpoint.
        seed: of this very picture.
        steps: denoising steps taken.
        true_cfg_scale: guidance; 1 is none.
        size: delivered, ``"512x512"``.
        painted_size: what the model painted; differs from `size` when the picture was resized.
        software: name and version of the program.
        adapters: LoRA adapters in order, each ``"<name>:<scale>:<SHA-256 of its file>"``.
    """

    prompt: str
    model: str
    seed: int
    steps: int
    size: str
    painted_size: str
    software: str
    true_cfg_scale: float = 1.0
    negative_prompt: str | None = None
    adapters: tuple[str, ...] = ()


def recipe_of(request: GenerationRequest, result: GenerationResult, index: int, software: str) -> Recipe:
    """How picture `index` of `result` was made."""
    return Recipe(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        model=result.model,
        seed=result.images[index].seed,
        steps=result.steps,
        true_cfg_scale=request.true_cfg_scale,
        size=str(result.canvas.delivered),
        painted_size=str(result.canvas.painted),
        software=software,
        adapters=tuple(f"{file.name}:{file.scale:g}:{file.digest}" for file in request.adapters),
    )


def as_json(recipe: Recipe) -> str:
    """The one JSON object that is written, in ASCII."""
    return json.dumps(asdict(recipe), ensure_ascii=True)


def png_chunks(recipe: Recipe) -> PngInfo:
    """The text chunks of a PNG file."""
    chunks = PngInfo()
    chunks.add_itxt("Description", recipe.prompt)
    chunks.add_text("Software", recipe.software)
    chunks.add_text(KEY, as_json(recipe))
    return chunks


def exif_block(recipe: Recipe, max_bytes: int | None = None) -> Image.Exif:
    """The EXIF block of a JPEG or WebP file.

    Args:
        recipe: how the picture was made.
        max_bytes: that the file has room for; where they are too few, the description is left out first (the recipe
            has its words, too), and then the recipe. None is any number.
    """
    description = recipe.prompt.encode("ascii", "backslashreplace").decode()
    comment = _ASCII_COMMENT + as_json(recipe).encode()
    block = _exif_of(recipe.software, description, comment)
    if max_bytes is not None and len(block.tobytes()) > max_bytes:
        block = _exif_of(recipe.software, None, comment)
    if max_bytes is not None and len(block.tobytes()) > max_bytes:
        block = _exif_of(recipe.software, None, None)
    return block


def _exif_of(software: str, description: str | None, comment: bytes | None) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = software
    if description is not None:
        exif[ExifTags.Base.ImageDescription] = description
    if comment is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return exif


def read_recipe(image: Image.Image) -> Recipe | None:
    """The recipe in a picture that Overpaint wrote; None when there is none."""
    text = image.info.get(KEY) or _comment_of(image)
    try:
        values = json.loads(text or "null")
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    known: dict[str, Any] = {"adapters": ()} | values  # pictures from before there were any have none
    try:
        known["adapters"] = tuple(known["adapters"])
        return Recipe(**{field.name: known[field.name] for field in fields(Recipe)})
    except (KeyError, TypeError):
        return None


def _comment_of(image: Image.Image) -> str | None:
    comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if not isinstance(comment, bytes) or not comment.startswith(_ASCII_COMMENT):
        return None
    return comment.removeprefix(_ASCII_COMMENT).decode("ascii", "replace")
