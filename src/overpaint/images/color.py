"""Any PIL mode and colour profile to eight-bit sRGB.

Covers what JPEG, PNG, WebP and GIF can hold. Knows nothing of files.
"""

import io
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from PIL import Image, ImageCms

# The signature at byte 16 of a profile, and the PIL mode it describes.
_SPACES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}


@dataclass(frozen=True, slots=True)
class _Profile:
    """An opened colour profile and the PIL mode of the samples it describes."""

    handle: ImageCms.ImageCmsProfile
    mode: str | None


def to_srgb(image: Image.Image) -> Image.Image:
    """`image` as RGB, or as RGBA when some pixel is not opaque."""
    profile = _profile_of(image)
    alpha = _alpha_of(image)
    rgb = _apply_profile(_without_alpha(image), profile)
    if alpha is None or alpha.getextrema() == (255, 255):
        return rgb
    rgb.putalpha(alpha)
    return rgb


def _profile_of(image: Image.Image) -> _Profile | None:
    """The embedded profile when it is readable and says something else than sRGB.

    An sRGB profile is left alone: transforming sRGB to sRGB rounds, and the samples must stay exact.
    """
    icc: Any = image.info.get("icc_profile")
    if not isinstance(icc, bytes):
        return None
    try:
        handle = ImageCms.getOpenProfile(io.BytesIO(icc))
        is_srgb = "srgb" in ImageCms.getProfileDescription(handle).lower()
    except ImageCms.PyCMSError:
        return None
    return None if is_srgb else _Profile(handle, _SPACES.get(icc[16:20]))


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
        return Image.fromarray((np.asarray(image).astype(np.uint32) * 255 // 65535).astype(np.uint8))
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    if image.mode in ("1", "LA", "La"):
        return image.convert("L")
    return image.convert("RGBA").convert("RGB")


def _apply_profile(image: Image.Image, profile: _Profile | None) -> Image.Image:
    """Transform to sRGB; a profile of another colour space than the samples is ignored, as browsers do."""
    if profile is None or profile.mode != image.mode:
        return image.convert("RGB")
    try:
        srgb = ImageCms.ImageCmsProfile(cast(Any, ImageCms.createProfile("sRGB")))
        converted = ImageCms.profileToProfile(image, profile.handle, srgb, outputMode="RGB")
    except ImageCms.PyCMSError:
        return image.convert("RGB")
    return image.convert("RGB") if converted is None else converted
