"""Scenes and how they look: a plain background and up to two objects on fixed places.

A scene is a value; `Composer` turns a list of scenes into pictures, all at once, on any device.
Places lie on the 16 pixel grid of the latents. Knows nothing of prompts or models.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from recipes.mini.objects import SPRITE_SIZE, THINGS, load_sprites

SIZE = 128

BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "black": (28, 28, 34),
    "gray": (158, 160, 166),
    "red": (214, 62, 66),
    "orange": (244, 154, 60),
    "yellow": (250, 222, 96),
    "green": (96, 184, 108),
    "blue": (78, 138, 232),
    "purple": (152, 102, 204),
    "pink": (246, 172, 204),
}
BACKGROUND_NAMES: tuple[str, ...] = tuple(BACKGROUNDS)

# Top left corner (x, y) of an object's 64 x 64 box.
PLACES: dict[str, tuple[int, int]] = {
    "left": (0, 32),
    "right": (64, 32),
    "center": (32, 32),
    "top": (32, 0),
    "bottom": (32, 64),
}
OPPOSITE: dict[str, str] = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}


@dataclass(frozen=True)
class Item:
    """One object on one place."""

    thing: int
    place: str


@dataclass(frozen=True)
class Scene:
    """A background and the objects on it; two objects stand on opposite places."""

    background: str
    items: tuple[Item, ...] = ()

    def __post_init__(self) -> None:
        if len(self.items) == 2 and OPPOSITE.get(self.items[0].place) != self.items[1].place:
            raise ValueError(f"two objects must stand on opposite places, not {self.items}")

    def __hash__(self) -> int:
        return hash((self.background, frozenset(self.items)))

    def __eq__(self, other: object) -> bool:
        """Objects never overlap, so their order does not matter."""
        if not isinstance(other, Scene):
            return NotImplemented
        return self.background == other.background and set(self.items) == set(other.items)


def box(place: str) -> tuple[slice, slice]:
    """Rows and columns that an object on this place occupies."""
    x, y = PLACES[place]
    return slice(y, y + SPRITE_SIZE), slice(x, x + SPRITE_SIZE)


class Composer:
    """Paints scenes from sprite tensors."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        sprites = load_sprites().permute(0, 2, 3, 1)
        nothing = torch.zeros_like(sprites[:1])
        self.sprites = torch.cat([sprites, nothing]).to(device)
        self.colours = torch.tensor(list(BACKGROUNDS.values()), device=device) / 255.0
        self.device = device

    def paint(self, scenes: list[Scene]) -> torch.Tensor:
        """Opaque RGBA pictures in -1..1, shape (scenes, 4, 128, 128)."""
        names = [BACKGROUND_NAMES.index(scene.background) for scene in scenes]
        colours = self.colours[torch.tensor(names, device=self.device)]
        canvas = colours[:, None, None].repeat(1, SIZE, SIZE, 1)
        for layer in range(max(len(scene.items) for scene in scenes)):
            self._paste(canvas, [s.items[layer] if layer < len(s.items) else None for s in scenes])
        rgba = torch.cat([canvas, torch.ones_like(canvas[..., :1])], dim=-1)
        return (rgba * 2 - 1).permute(0, 3, 1, 2).contiguous()

    def _paste(self, canvas: torch.Tensor, items: list[Item | None]) -> None:
        """Blend one object per picture into `canvas` (B, H, W, 3), in place."""
        things = [len(THINGS) if item is None else item.thing for item in items]
        corners = [(0, 0) if item is None else PLACES[item.place] for item in items]
        sprites = self.sprites[torch.tensor(things, device=self.device)]
        corner = torch.tensor(corners, device=self.device)
        reach = torch.arange(SPRITE_SIZE, device=self.device)
        rows = (corner[:, 1, None] + reach)[:, :, None]
        columns = (corner[:, 0, None] + reach)[:, None, :]
        batch = torch.arange(len(items), device=self.device)[:, None, None]
        alpha = sprites[..., 3:]
        under = canvas[batch, rows, columns]
        canvas[batch, rows, columns] = sprites[..., :3] * alpha + under * (1 - alpha)


def to_uint8(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures in -1..1 as bytes, rounded as the image processors round."""
    return ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
