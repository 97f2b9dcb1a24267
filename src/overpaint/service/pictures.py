"""A picture in a draft to a stored, checked file, wherever it came from; and back to samples when it is painted.

Fetching and decoding are `images`'; this decides which source may be used by whom, and keeps what the model will see.
"""

import asyncio
import base64
import binascii
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote_to_bytes

from overpaint.core.errors import AccessError, PictureError, RequestError, TaskError
from overpaint.core.output_ports import OutputStore
from overpaint.core.picture import Picture
from overpaint.core.request import AdapterFile, GenerationRequest, OutputSpec
from overpaint.core.sizes import Size, SizeRules
from overpaint.core.store_ports import TaskStore
from overpaint.core.task import StoredFile, Task
from overpaint.images.alpha import is_transparent, mask_of_holes
from overpaint.images.decode import decode_picture
from overpaint.images.encode import encode
from overpaint.images.limits import PictureLimits
from overpaint.images.resize import resize
from overpaint.service.caller import Caller
from overpaint.service.canvas import engine_size
from overpaint.service.catalogue import PictureRules
from overpaint.service.draft import MaskMeaning, PictureBytes, PictureDataUri, PictureFile, PictureSource, PictureUrl
from overpaint.service.files import OUTPUTS, input_key, media_type_of, uploads_of
from overpaint.service.links import FileLinks

DECODES_AT_ONCE = 8
_MAX_NAME_CHARS = 80
_PIECE_CHARS = 64 * 1024


class UrlFetcher(Protocol):
    """Fetches pictures over the network."""

    async def fetch(self, url: str, field: str = "images") -> bytes:
        """The file behind a URL.

        Raises:
            PictureError: it may not or cannot be fetched, or is no picture.
        """
        ...


@dataclass(frozen=True, slots=True)
class TakenPicture:
    """A picture that may be used.

    Args:
        data: the file that is kept.
        file: where it is kept.
        picture: its samples.
    """

    data: bytes
    file: StoredFile
    picture: Picture


class PictureDesk:
    """Takes pictures in.

    Args:
        outputs: where files are.
        tasks: whose outputs are whose.
        links: recognises our own URLs.
        fetcher: asks the network for others.
        limits: bounds on any picture; a model may be stricter about sides.
    """

    def __init__(
        self,
        outputs: OutputStore,
        tasks: TaskStore,
        links: FileLinks,
        fetcher: UrlFetcher,
        limits: PictureLimits | None = None,
    ) -> None:
        self._outputs = outputs
        self._tasks = tasks
        self._links = links
        self._fetcher = fetcher
        self._limits = limits or PictureLimits()
        self._decoders = asyncio.Semaphore(DECODES_AT_ONCE)

    async def take(self, caller: Caller, source: PictureSource, field: str, rules: PictureRules) -> TakenPicture:
        """Get a picture and see that the model takes it.

        Raises:
            PictureError: it cannot be had or used.
        """
        data, name = await self._bytes_of(caller, source, field)
        async with self._decoders:
            return await asyncio.to_thread(_judge, data, field, name, rules, self._limits)

    async def keep(self, taken: TakenPicture) -> None:
        """Store a taken picture; the same content twice is one file."""
        await self._outputs.put(taken.file.key, taken.data, taken.file.media_type)

    async def request_of(
        self, task: Task, rules: SizeRules, adapters: tuple[AdapterFile, ...] = ()
    ) -> GenerationRequest:
        """What an engine is asked for a stored task, whose adapters were opened.

        Raises:
            TaskError: an input is gone.
            RequestError: the engine cannot paint the size.
        """
        spec = task.spec
        pictures = [await self._read(file) for file in spec.pictures]
        return GenerationRequest(
            prompt=spec.painted_prompt,
            negative_prompt=spec.negative_prompt,
            pictures=tuple(pictures),
            mask=await self._read(spec.mask) if spec.mask else None,
            size=engine_size(spec, rules),
            seed=spec.seed,
            num_images=spec.num_images,
            steps=spec.steps,
            true_cfg_scale=spec.true_cfg_scale,
            adapters=adapters,
            acceleration=spec.acceleration,
            output=spec.output,
        )

    async def _read(self, file: StoredFile) -> Picture:
        """The samples of a stored input."""
        return await asyncio.to_thread(decode_picture, await self._outputs.get(file.key), limits=LOOSE)

    async def _bytes_of(self, caller: Caller, source: PictureSource, field: str) -> tuple[bytes, str]:
        match source:
            case PictureBytes(data, name):
                return data, name
            case PictureDataUri(uri):
                return await asyncio.to_thread(read_data_uri, uri, field), "data URI"
            case PictureFile(key):
                await self._require_own(caller, key, field)
                return await self._stored(key, key, field), key
            case PictureUrl(url):
                return await self._by_url(url, field), url[:_MAX_NAME_CHARS]

    async def _by_url(self, url: str, field: str) -> bytes:
        try:
            key = self._links.key_of(url)
        except AccessError as exc:
            raise PictureError(field, url, "is a link that has expired") from exc
        return await self._fetcher.fetch(url, field) if key is None else await self._stored(key, url, field)

    async def _stored(self, key: str, name: str, field: str) -> bytes:
        try:
            return await self._outputs.get(key)
        except TaskError as exc:
            raise PictureError(field, name, "is not stored here (any more)") from exc

    async def _require_own(self, caller: Caller, key: str, field: str) -> None:
        """An upload of the caller, or an output of a task that the caller may see."""
        if key.startswith(uploads_of(caller)):
            return
        if key.startswith(OUTPUTS):
            try:
                if caller.may_see(await self._tasks.get(key.removeprefix(OUTPUTS).partition("/")[0])):
                    return
            except TaskError:
                pass
        raise PictureError(field, key, "is not a file of this key")


# What was taken in once is not refused when it is painted: the rules may have become stricter in between.
LOOSE = PictureLimits(max_bytes=1 << 40, max_pixels=1 << 40, min_side_px=1, max_aspect=float("inf"))


def _judge(data: bytes, field: str, name: str, rules: PictureRules, limits: PictureLimits) -> TakenPicture:
    picture = decode_picture(data, field, name, limits)
    short, long = sorted((picture.width, picture.height))
    sides = f"it is {picture.width}x{picture.height}"
    if short < rules.min_side_px:
        raise PictureError(field, name, f"must have sides of at least {rules.min_side_px} px, {sides}")
    if long > rules.max_side_px:
        if not rules.is_scaled_down:
            raise PictureError(field, name, f"must have sides of at most {rules.max_side_px} px, {sides}")
        scale = rules.max_side_px / long
        picture = resize(picture, Size(*(max(1, round(side * scale)) for side in (picture.width, picture.height))))
        data = encode(picture, OutputSpec())
    return _taken(data, picture)


def _taken(data: bytes, picture: Picture) -> TakenPicture:
    file = StoredFile(input_key(data), media_type_of(data), len(data), picture.width, picture.height)
    return TakenPicture(data, file, picture)


def read_data_uri(uri: str, field: str) -> bytes:
    """The bytes in ``data:...;base64,...``.

    Raises:
        PictureError: it is none, or its base64 is not valid.
    """
    head, comma, body = uri.partition(",")
    if not comma:
        raise PictureError(field, uri, "must be data:image/...;base64,...")
    try:
        if head.lower().endswith(";base64"):
            return base64.b64decode(_unescaped(body.replace("\n", "").replace(" ", "+")), validate=True)
        return _unescaped(body)
    except (binascii.Error, ValueError, UnicodeError) as exc:
        raise PictureError(field, uri, "is not valid base64") from exc


def _unescaped(text: str) -> bytes:
    """Without percent signs, piece by piece: the library makes an object of each, eighty times the size of it all."""
    data, at = bytearray(), 0
    while at < len(text):
        end = at + _PIECE_CHARS
        cut = text.rfind("%", end - 2, end)  # an escape is not taken apart
        end = end if cut < 0 else cut
        data += unquote_to_bytes(text[at:end])
        at = end
    return bytes(data)


def require_same_sides(mask: Picture, first: Picture) -> None:
    """See that a mask lies on its picture.

    Raises:
        RequestError: it has other sides.
    """
    if (mask.width, mask.height) != (first.width, first.height):
        sides = f"{first.width}x{first.height}"
        raise RequestError("mask", f"{mask.width}x{mask.height}", f"must have the sides of the first picture, {sides}")


def read_mask(taken: TakenPicture, meaning: MaskMeaning) -> TakenPicture:
    """A mask as the engine takes it: white where the picture may change.

    Raises:
        RequestError: its transparency is to be read, and it has none.
    """
    if meaning == "white" or (meaning == "either" and not is_transparent(taken.picture)):
        return taken
    if not is_transparent(taken.picture):
        raise RequestError("mask", "an opaque picture", "must be transparent where the picture may change")
    holes = mask_of_holes(taken.picture)
    return _taken(encode(holes, OutputSpec()), holes)
