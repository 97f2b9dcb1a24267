"""Any PIL mode and colour profile to eight-bit sRGB.

Covers what JPEG, PNG, WebP and GIF can hold. Knows nothing of files.
"""

import io
from itertools import product
from typing import Any, cast

import numpy as np
from PIL import Image, ImageChops, ImageCms

# The signature at byte 16 of a profile, and the PIL mode it describes.
_SPACES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}
_ROUNDING = 2
"""Levels that two ways to write down the same curve may be apart."""


def to_srgb(image: Image.Image) -> Image.Image:
    """`image` as RGB, or as RGBA when some pixel is not opaque."""
    if image.mode == "La":  # premultiplied; Pillow converts it to nothing else
        image = image.convert("LA")
    alpha = _alpha_of(image)
    rgb = _apply_profile(_without_alpha(image), image.info.get("icc_profile"))
    if alpha is None or alpha.getextrema() == (255, 255):
        return rgb
    rgb.putalpha(alpha)
    return rgb


def _alpha_of(image: Image.Image) -> Image.Image | None:
    """The alpha channel, also where a palette entry or one grey level is declared transparent."""
    if not image.has_transparency_data:
        return None
    if image.mode.startswith("I;16"):
        level = cast(int, image.info["transparency"])
        return Image.fromarray(np.where(np.asarray(image) == level, 0, 255).astype(np.uint8))
    return image.convert("RGBA").getchannel("A")


def _without_alpha(image: Image.Image) -> Image.Image:
    """L, RGB or CMYK, whichever is nearest to what the picture holds."""
    if image.mode.startswith("I"):  # 16 bit grey; convert("L") would clip instead of scale
        levels = np.clip(np.asarray(image), 0, 65535).astype(np.uint32)
        return Image.fromarray((levels * 255 // 65535).astype(np.uint8))
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    if image.mode in ("1", "LA"):
        return image.convert("L")
    return image.convert("RGBA").convert("RGB")


def _apply_profile(image: Image.Image, icc: object) -> Image.Image:
    """Transform to sRGB; a profile of another colour space than the samples is ignored, as browsers do.

    So is one that changes next to nothing: whatever it is called it is sRGB, transforming that to sRGB rounds, and the
    samples must stay exact.
    """
    if not isinstance(icc, bytes) or _SPACES.get(icc[16:20]) != image.mode:
        return image.convert("RGB")
    try:
        transform = ImageCms.buildTransform(io.BytesIO(icc), _srgb(), image.mode, "RGB")
        if _largest_change(transform, image.mode) <= _ROUNDING:
            return image.convert("RGB")
        return ImageCms.applyTransform(image, transform) or image.convert("RGB")
    except ImageCms.PyCMSError:
        return image.convert("RGB")


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(cast(Any, ImageCms.createProfile("sRGB")))


def _largest_change(transform: ImageCms.ImageCmsTransform, mode: str) -> int:
    """How far it takes any sample of colours from all over a mode's space."""
    levels = bytes(value for colour in product(range(0, 256, 51), repeat=len(mode)) for value in colour)
    colours = Image.frombytes(mode, (len(levels) // len(mode), 1), levels)
    changed = ImageCms.applyTransform(colours, transform)
    difference = ImageChops.difference(colours.convert("RGB"), changed) if changed else colours.convert("RGB")
    return max(int(band[1]) for band in cast(Any, difference.getextrema()))
