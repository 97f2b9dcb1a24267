"""What a given picture may be, decided before it is decoded. Plain numbers; knows nothing of formats."""

from dataclasses import dataclass

MIB = 1024 * 1024
MEGAPIXEL = 1000 * 1000


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Bounds on an input picture.

    Args:
        max_bytes: size of the file.
        max_pixels: width times height, as its header declares them.
        min_side_px: shorter side; below it a reference holds nothing the model could see.
        max_aspect: longer side over shorter; beyond it the reference would be resized to a line.
    """

    max_bytes: int = 64 * MIB
    max_pixels: int = 64 * MEGAPIXEL
    min_side_px: int = 16
    max_aspect: float = 20.0

    def broken_by_bytes(self, num_bytes: int) -> str | None:
        """The rule a file of `num_bytes` breaks, as a clause, or None."""
        if num_bytes == 0:
            return "is empty"
        if num_bytes > self.max_bytes:
            return f"must be at most {self.max_bytes / MIB:g} MiB, it has {num_bytes / MIB:.0f}"
        return None

    def broken_by_sides(self, width: int, height: int) -> str | None:
        """The rule a picture of these sides breaks, as a clause, or None."""
        short, long = sorted((width, height))
        if short < self.min_side_px:
            return f"must have sides of at least {self.min_side_px} px, it is {width}x{height}"
        if width * height > self.max_pixels:
            return f"must have at most {self.max_pixels / MEGAPIXEL:g} megapixels, it is {width}x{height}"
        if long > self.max_aspect * short:
            return f"must not be longer than {self.max_aspect:g} times its shorter side, it is {width}x{height}"
        return None
