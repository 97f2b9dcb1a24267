"""What a dialect understood of a request, before anything of it is checked against models, limits or pictures.

One type for everything that can be asked in any dialect. Plain values; knows no vendor's words.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from overpaint.core.errors import PictureError
from overpaint.core.request import RANDOM_SEED, Acceleration, AdapterRef, OutputSpec
from overpaint.core.sizes import Size
from overpaint.core.task import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class _Called:
    """What the request calls a picture, for errors; empty is its place (``"images[0]"``). It makes no other picture."""

    called: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PictureBytes(_Called):
    """A picture sent along: the bytes of its file, and what the caller calls it."""

    data: bytes = field(repr=False)
    name: str = "picture"


@dataclass(frozen=True, slots=True)
class PictureUrl(_Called):
    """A picture to be fetched over http or https, or a link that this server gave out."""

    url: str


@dataclass(frozen=True, slots=True)
class PictureFile(_Called):
    """A file in the output store that the caller may use: an upload, or an output of a task of theirs."""

    key: str


@dataclass(frozen=True, slots=True)
class PictureDataUri(_Called):
    """A picture as ``data:image/...;base64,...``."""

    uri: str = field(repr=False)


PictureSource = PictureBytes | PictureUrl | PictureFile | PictureDataUri
MaskMeaning = Literal["white", "holes", "either"]
"""What may change under a mask: where it is white, where it is transparent, or that of both which the file has."""


def picture_source(text: str, called: str = "") -> PictureSource:
    """Tell what a string in a request stands for: a URL, a data URI or bare base64.

    Args:
        text: the string.
        called: the field it stands in.

    Raises:
        PictureError: it is none of them.
    """
    text = text.strip()
    scheme, colon, _ = text[:16].partition(":")
    if scheme.lower() == "data" and colon:
        return PictureDataUri(_on_one_line(text), called=called)
    if colon or not text:
        return PictureUrl(text, called=called)  # the fetcher says what is wrong with other schemes
    try:
        return PictureBytes(base64.b64decode(_on_one_line(text), validate=True), called=called)
    except ValueError as exc:  # also of letters that are not ASCII
        raise PictureError(called or "images", text, "must be an http(s) URL, a data URI or base64") from exc


def _on_one_line(text: str) -> str:
    """Base64 as tools wrap it, without its line breaks."""
    return text.replace("\r", "").replace("\n", "")


@dataclass(frozen=True, slots=True)
class Draft:
    """A request as it was asked.

    Args:
        model: a public id or an alias of the catalogue.
        prompt: what to paint or to change.
        dialect: which dialect took it (``"native"``, ...); chooses the webhook's form later.
        negative_prompt: what to steer away from.
        pictures: references in the order the prompt counts them.
        mask: says where the first picture may change.
        mask_meaning: and how it says so.
        size: as text (``"1024*768"``, ``"16:9"``), parsed, an aspect, or None for the model's choice.
        seed: 0..2147483647, or -1 for a fresh one.
        num_images: how many pictures.
        steps: denoising steps; None is the catalogue's number, else the checkpoint's.
        true_cfg_scale: guidance; None is the catalogue's.
        adapters: LoRA adapters in order.
        acceleration: how much of the work of steps that change little may be left out.
        output: how the pictures are written.
        priority: who goes first.
        webhook_url: to be told when the task is final.
        idempotency_key: the same key gives the same task.
        enhance: whether to enrich the prompt; None is the catalogue's choice.
        wording: what the dialect will need to word its later answers; see `TaskSpec`.
        is_retry: the client says that it sends this again; it is then joined with an identical one in flight.
    """

    model: str
    prompt: str
    dialect: str = "native"
    negative_prompt: str | None = None
    pictures: tuple[PictureSource, ...] = ()
    mask: PictureSource | None = None
    mask_meaning: MaskMeaning = "white"
    size: str | Size | float | None = None
    seed: int = RANDOM_SEED
    num_images: int = 1
    steps: int | None = None
    true_cfg_scale: float | None = None
    adapters: tuple[AdapterRef, ...] = ()
    acceleration: Acceleration = "none"
    output: OutputSpec = field(default_factory=OutputSpec)
    priority: Priority = Priority.INTERACTIVE
    webhook_url: str | None = None
    idempotency_key: str | None = None
    enhance: bool | None = None
    wording: Mapping[str, str] = field(default_factory=dict[str, str])
    is_retry: bool = False
