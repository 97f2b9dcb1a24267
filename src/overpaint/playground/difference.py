"""What an edit changed and what it left alone, counted on the samples themselves."""

import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

_FADED = 0.25
_NOISE = 8
_MARK = np.array([214, 40, 90], np.float32)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two pictures compared.

    Args:
        share_untouched: 0..1 of the pixels are the same in every channel.
        share_alike: 0..1 differ by at most 8 of 255 in any channel, which no eye sees.
        picture: PNG in the second's size; what is the same is faded, what changed is marked, stronger where it changed
            more and hardly where no eye sees it.
        is_resized: the first had other sides and was resized for the comparison, so that few pixels can be the same.
    """

    share_untouched: float
    share_alike: float
    picture: bytes = field(repr=False)
    is_resized: bool


def compare(before: bytes, after: bytes) -> Difference:
    """Compare two picture files.

    Args:
        before: any picture that Pillow reads.
        after: likewise.
    """
    new = _samples(Image.open(io.BytesIO(after)))
    old_image = Image.open(io.BytesIO(before))
    is_resized = old_image.size != (new.shape[1], new.shape[0])
    old = _samples(old_image.resize((new.shape[1], new.shape[0])) if is_resized else old_image)
    change = np.abs(new.astype(np.int16) - old.astype(np.int16)).max(axis=2)
    return Difference(float((change == 0).mean()), float((change <= _NOISE).mean()), _marked(new, change), is_resized)


def _samples(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGBA"))


def _marked(picture: np.ndarray, change: np.ndarray) -> bytes:
    grey = picture[..., :3].astype(np.float32).mean(axis=2, keepdims=True)
    faded = 255 - (255 - grey) * _FADED
    strength = np.where(change > _NOISE, 0.35 + 0.65 * np.minimum(1, change / 64), 0.15 * (change > 0))[..., None]
    shown = np.rint(faded * (1 - strength) + _MARK * strength).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, "PNG")
    return buffer.getvalue()
