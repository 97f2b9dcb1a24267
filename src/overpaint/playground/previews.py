"""Pictures as a browser shows them: small copies, for where many are shown at once, and upright. Keeps none."""

import asyncio
import io

from PIL import Image

from overpaint.core.errors import PictureError, TaskNotFoundError
from overpaint.core.request import OutputSpec
from overpaint.images.decode import take_pil
from overpaint.images.encode import encode
from overpaint.images.exif import orientation_of
from overpaint.images.pil import from_pil, to_pil
from overpaint.service.files import Files

SIDE_PX = 256
AT_ONCE = 2
_LOOK = OutputSpec(format="webp", quality=80)
_ON_ITS_SIDE = 5
"""From this orientation on, as EXIF counts, width and height change places."""
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


class Previews:
    """Makes small copies, a few at a time: a large photo takes memory while it is made small.

    Args:
        files: the whole ones.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def of(self, key: str) -> bytes:
        """A stored picture in WebP, its longer side at most `SIDE_PX`. Whoever calls this has checked that they may.

        Raises:
            TaskNotFoundError: there is none, or it is no picture.
        """
        async with self._turn:
            file = await self._files.read(key)
            try:
                return await asyncio.to_thread(shrunk, file.data)
            except (PictureError, OSError) as exc:
                raise TaskNotFoundError("there is no such picture") from exc


def shrunk(data: bytes) -> bytes:
    """A picture file as a small one, upright and in sRGB.

    Raises:
        PictureError: it is damaged.
        OSError: it is no picture.
    """
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        image.draft(None, (SIDE_PX, SIDE_PX))  # of a large JPEG no more is decoded than is shown
        small = to_pil(take_pil(image))
    small.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return encode(from_pil(small), _LOOK)


def upright_sides(data: bytes) -> tuple[int, int] | None:
    """Width and height of a picture file as it is seen, which of a photo may be others than in its file.

    None where it is no picture.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            return (height, width) if orientation_of(image.info) >= _ON_ITS_SIDE else (width, height)
    except OSError:
        return None
