"""What scenes stand on: plain colours, gradients of two colours, and fourteen painted grounds.

A background is a name: `blue`, `red>blue` (a gradient from top to bottom), `grass`. Knows nothing of
objects or prompts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F

SIDE = 256
Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
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
COLOUR_NAMES = tuple(COLOURS)
TRANSPARENT = "transparent"


def _rgb(colour: Colour) -> torch.Tensor:
    return torch.tensor(colour)[:, None, None] / 255.0


def _noise(seed: int, rows: int, columns: int) -> torch.Tensor:
    """Smooth noise around zero, (256, 256), with that many bumps down and across."""
    values = torch.randn(1, 1, rows, columns, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(values, (SIDE, SIDE), mode="bicubic", align_corners=False)[0, 0] * 0.5


def _fade(top: Colour, bottom: Colour) -> torch.Tensor:
    """A vertical gradient, (3, 256, 256)."""
    share = torch.linspace(0, 1, SIDE)[:, None].expand(SIDE, SIDE)
    return torch.lerp(_rgb(top), _rgb(bottom), share)


def _blend(under: torch.Tensor, colour: Colour, cover: torch.Tensor) -> torch.Tensor:
    return torch.lerp(under, _rgb(colour), cover.clamp(0, 1))


def _rows() -> torch.Tensor:
    return torch.arange(SIDE).float()[:, None].expand(SIDE, SIDE)


def _columns() -> torch.Tensor:
    return torch.arange(SIDE).float()[None].expand(SIDE, SIDE)


def _sky() -> torch.Tensor:
    clouds = (_noise(1, 7, 5) * 2.2 - 0.7) * (1 - _rows() / 300)
    return _blend(_fade((86, 164, 240), (206, 232, 252)), (255, 255, 255), clouds)


def _overcast() -> torch.Tensor:
    return _blend(_fade((134, 142, 152), (196, 202, 208)), (228, 230, 232), _noise(2, 7, 5) * 1.4)


def _sunset() -> torch.Tensor:
    glow = _fade((92, 62, 140), (252, 170, 92))
    distance = ((_rows() - 190).square() + (_columns() - 128).square()).sqrt()
    return _blend(glow, (255, 226, 140), (44 - distance) / 4)


def _night() -> torch.Tensor:
    sky = _fade((12, 16, 48), (44, 52, 104))
    dots = torch.randint(6, SIDE - 6, (40, 2), generator=torch.Generator().manual_seed(4))
    stars = torch.zeros(SIDE, SIDE)
    for y, x in dots.tolist():
        stars[y - 1 : y + 2, x - 1 : x + 2] = 0.9
    return _blend(sky, (255, 250, 220), stars)


def _ground(colour: Colour, dark: Colour, seed: int, rows: int, columns: int) -> torch.Tensor:
    return _blend(_rgb(colour).expand(3, SIDE, SIDE), dark, _noise(seed, rows, columns) * 0.8 + 0.2)


def _sea() -> torch.Tensor:
    waves = torch.sin(_rows() / 7 + 1.5 * torch.sin(_columns() / 24))
    return _blend(_fade((72, 150, 204), (24, 88, 158)), (150, 208, 236), (waves - 0.7) * 2)


def _wood() -> torch.Tensor:
    grain = torch.sin(_columns() / 20 + _noise(8, 4, 9) * 3) * 0.25 + _noise(9, 3, 40) * 0.35
    planks = _blend(_rgb((190, 136, 84)).expand(3, SIDE, SIDE), (150, 98, 56), grain + 0.3)
    return _blend(planks, (104, 66, 36), (_rows() % 64 < 2).float())


def _brick() -> torch.Tensor:
    row = (_rows() // 32).floor()
    joint = (_rows() % 32 < 4) | ((_columns() + 32 * (row % 2)) % 64 < 4)
    wall = _blend(_rgb((176, 84, 66)).expand(3, SIDE, SIDE), (146, 64, 50), _noise(10, 9, 9) * 0.6 + 0.2)
    return _blend(wall, (206, 198, 188), joint.float())


def _room() -> torch.Tensor:
    wall = _fade((238, 226, 204), (226, 210, 184))
    floor = _blend(wall, (168, 120, 80), (_rows() >= 192).float())
    return _blend(floor, (250, 248, 244), ((_rows() >= 184) & (_rows() < 192)).float())


def _studio() -> torch.Tensor:
    distance = (((_rows() - 116) / 1.3).square() + (_columns() - 128).square()).sqrt()
    return _blend(_rgb((255, 255, 255)).expand(3, SIDE, SIDE), (206, 208, 212), (distance - 60) / 160)


PAINTERS: dict[str, Callable[[], torch.Tensor]] = {
    "sky": _sky,
    "overcast sky": _overcast,
    "sunset": _sunset,
    "night": _night,
    "grass": lambda: _ground((116, 186, 84), (72, 142, 60), 5, 24, 40),
    "sand": lambda: _ground((236, 212, 160), (212, 180, 122), 6, 14, 9),
    "sea": _sea,
    "snow": lambda: _ground((248, 250, 254), (212, 224, 240), 7, 6, 4),
    "wood": _wood,
    "brick": _brick,
    "room": _room,
    "white studio": _studio,
}
GROUNDS = (*PAINTERS, TRANSPARENT)
GRADIENTS = tuple(f"{top}>{bottom}" for top in COLOURS for bottom in COLOURS if top != bottom)
DARK = {"black", "red", "blue", "purple", "night", "sea", "wood", "brick", "sunset"}


@cache
def load_grounds() -> torch.Tensor:
    """The painted grounds as straight RGBA in 0..1, (grounds, 4, 256, 256); the last is transparent."""
    painted = torch.stack([paint().clamp(0, 1) for paint in PAINTERS.values()])
    opaque = torch.cat([painted, torch.ones_like(painted[:, :1])], dim=1)
    nothing = torch.ones_like(opaque[:1])
    nothing[:, 3] = 0
    return torch.cat([opaque, nothing])


def encode_background(name: str) -> tuple[int, int, int]:
    """A background as numbers: its ground (-1: none), and the colours at top and bottom."""
    if name in GROUNDS:
        return GROUNDS.index(name), 0, 0
    top, _, bottom = name.partition(">")
    return -1, COLOUR_NAMES.index(top), COLOUR_NAMES.index(bottom or top)


def is_dark(name: str) -> bool:
    """Whether light letters are easier to read on its lower and upper edge."""
    return name.partition(">")[0] in DARK
