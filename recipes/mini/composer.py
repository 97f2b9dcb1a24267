"""Paints scenes from sprite tensors, many at once, on any device; also says what covers each cell.

The only Python loops are over the four objects and six letters of a scene, never over pictures.
Colours are blended premultiplied and handed out straight, as picture files hold them.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from recipes.mini.backgrounds import COLOURS, load_grounds
from recipes.mini.glyphs import CHARACTERS, GLYPH_SIZE, load_glyphs
from recipes.mini.objects import THINGS, load_sprites
from recipes.mini.scenes import CODE_LENGTH, ITEM_FIELDS, MOST_ITEMS, MOST_LETTERS, SIDE, TINTS, Box, Scene, tint_colour

PARTS = 4  # an object is labelled in 4 x 4 parts
KINDS = 1 + len(THINGS) + len(CHARACTERS)  # what a cell may show: nothing, an object, a character
LIGHTNESS = (0.3, 0.59, 0.11)  # what red, green and blue have of it


def encode(scenes: list[Scene]) -> torch.Tensor:
    """Scenes as rows of integers, (scenes, CODE_LENGTH)."""
    return torch.tensor([scene.code for scene in scenes], dtype=torch.int64).reshape(-1, CODE_LENGTH)


@dataclass(frozen=True)
class Labels:
    """For every cell what it shows (0: background) and which part of it, both (pictures, cells)."""

    kinds: torch.Tensor
    parts: torch.Tensor


class Composer:
    """Pictures of `side` x `side` pixels: 256, or a half of it."""

    def __init__(self, device: torch.device | str = "cpu", side: int = SIDE) -> None:
        self.device, self.side = torch.device(device), side
        sprites = load_sprites().to(self.device).float() / 255
        sprites[:, :, :3] *= sprites[:, :, 3:]
        nothing = torch.zeros_like(sprites[:, :1])
        self.sprites = torch.cat([sprites, nothing], dim=1)  # index -1 is empty
        grounds = F.interpolate(load_grounds(), (side, side), mode="area").to(self.device)
        self.grounds = torch.cat([grounds[:, :3] * grounds[:, 3:], grounds[:, 3:]], dim=1)
        self.colours = torch.tensor(list(COLOURS.values()), device=self.device) / 255.0
        tints = [[0.0, 0.0, 0.0]] + [self.colours[tint_colour(1 + t)].tolist() for t in range(len(TINTS))]
        self.tints = torch.tensor(tints, device=self.device)
        self.lightness = torch.tensor(LIGHTNESS, device=self.device)[:, None, None]
        glyphs = load_glyphs().to(self.device).float() / 255
        self.glyphs = torch.cat([glyphs, torch.zeros_like(glyphs[:1])])
        self.across = self.down = (torch.arange(side, device=self.device) + 0.5) * (SIDE / side)

    def window(self, box: Box) -> Composer:
        """One that paints only this part of every picture."""
        part = copy(self)
        left, top, right, bottom = (edge * self.side // SIDE for edge in box)
        part.across, part.down = self.across[left:right], self.down[top:bottom]
        part.grounds = self.grounds[:, :, top:bottom, left:right]
        return part

    def paint(self, scenes: list[Scene]) -> torch.Tensor:
        """RGBA pictures in -1..1, (scenes, 4, side, side)."""
        return self.paint_codes(encode(scenes).to(self.device))

    def paint_codes(self, codes: torch.Tensor) -> torch.Tensor:
        """The same from codes (pictures, CODE_LENGTH) on the device."""
        items, ground, text = _split(codes)
        canvas = self._ground(ground)
        for item in items.unbind(1):
            if self._needed(item[:, 0]):
                canvas = _over(self._layer(item), canvas)
        if self._needed(text[:, 0]):
            canvas = self._write(text, canvas)
        alpha = canvas[:, 3:]
        straight = torch.where(alpha > 1e-4, canvas[:, :3] / alpha.clamp(min=1e-4), torch.ones_like(alpha))
        return torch.cat([straight, alpha], dim=1).clamp(0, 1) * 2 - 1

    def _needed(self, numbers: torch.Tensor) -> bool:
        """Whether any picture has this layer; a GPU would have to wait for the answer, so it just paints."""
        return self.device.type != "cpu" or bool((numbers >= 0).any())

    def _ground(self, ground: torch.Tensor) -> torch.Tensor:
        """Premultiplied RGBA of the backgrounds."""
        ends = self.colours[ground[:, 1:]]
        share = (self.down * self.side / SIDE - 0.5) / (self.side - 1)
        fade = torch.lerp(ends[:, 0, :, None], ends[:, 1, :, None], share)
        fade = torch.cat([fade, torch.ones_like(fade[:, :1])], dim=1)[..., None].expand(-1, -1, -1, len(self.across))
        painted = self.grounds[ground[:, 0].clamp(min=0)]
        return torch.where((ground[:, 0] < 0)[:, None, None, None], fade, painted)

    def _layer(self, item: torch.Tensor) -> torch.Tensor:
        """One object a picture; on a CPU, what many pictures share is painted once."""
        if self.device.type != "cpu":
            return self._item(item)
        different, which = item.unique(dim=0, return_inverse=True)
        return self._item(different)[which]

    def _item(self, item: torch.Tensor) -> torch.Tensor:
        """Premultiplied RGBA of one object a picture, on an empty canvas."""
        thing, style, x, y, size, tint, flip = item.unbind(1)
        sprites = self.sprites[style, thing]
        if self._needed(tint - 1):
            sprites = self._tinted(sprites, tint)
        across = _inside(self.across, x, size) * (1 - 2 * flip)[:, None]
        return _spread(sprites, across, _inside(self.down, y, size))

    def _tinted(self, sprites: torch.Tensor, tint: torch.Tensor) -> torch.Tensor:
        """One colour in the lightness of the drawing: dark stays dark, light stays light."""
        alpha = sprites[:, 3:]
        light = (sprites[:, :3] * self.lightness).sum(1, keepdim=True)
        light = light / alpha.clamp(min=1e-4)
        colour = self.tints[tint][:, :, None, None]
        shade = torch.where(light < 0.6, colour * light / 0.6, 1 - (1 - colour) * (1 - light) / 0.4) * alpha
        tinted = torch.cat([shade, alpha], dim=1)
        return torch.where((tint > 0)[:, None, None, None], tinted, sprites)

    def _write(self, text: torch.Tensor, canvas: torch.Tensor) -> torch.Tensor:
        letters, row, sign, light = text[:, :MOST_LETTERS], *text[:, MOST_LETTERS:].unbind(1)
        left, top = _line(letters, row)
        count = (letters >= 0).sum(1)
        panel = (sign * (count > 0))[:, None, None] * _within(self.down, top - 8, GLYPH_SIZE + 16)[:, :, None]
        panel = panel * _within(self.across, left - 16, GLYPH_SIZE * count + 32)[:, None]
        canvas = _over(panel[:, None].expand(-1, 4, -1, -1).float(), canvas)
        ink = torch.where(light > 0, 1.0, 0.11)[:, None, None]
        for index in range(MOST_LETTERS):
            across = _inside(self.across, left + GLYPH_SIZE * index, GLYPH_SIZE)
            cover = _spread(self.glyphs[letters[:, index]][:, None], across, _inside(self.down, top, GLYPH_SIZE))
            canvas = _over(torch.cat([(cover[:, 0] * ink)[:, None].expand(-1, 3, -1, -1), cover], dim=1), canvas)
        return canvas

    def label(self, codes: torch.Tensor, cells: int) -> Labels:
        """What covers each of `cells` x `cells` cells, judged at their middles."""
        items, _, text = _split(codes)
        middle = (torch.arange(cells, device=codes.device) + 0.5) * (SIDE / cells)
        kinds = torch.zeros(len(codes), cells, cells, dtype=torch.int64, device=codes.device)
        parts = torch.zeros_like(kinds)
        for item in items.unbind(1):
            thing, _, x, y, size, _, _ = item.unbind(1)
            self._cover(kinds, parts, (thing >= 0) * (1 + thing), middle, (x, y, size))
        letters = text[:, :MOST_LETTERS]
        left, top = _line(letters, text[:, MOST_LETTERS])
        size = torch.full_like(left, GLYPH_SIZE)
        for index in range(MOST_LETTERS):
            kind = (letters[:, index] >= 0) * (1 + len(THINGS) + letters[:, index])
            self._cover(kinds, parts, kind, middle, (left + GLYPH_SIZE * index, top, size))
        return Labels(kinds.flatten(1), parts.flatten(1))

    def _cover(
        self,
        kinds: torch.Tensor,
        parts: torch.Tensor,
        kind: torch.Tensor,
        middle: torch.Tensor,
        box: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    ) -> None:
        x, y, size = box
        across = ((middle - x[:, None]) / size[:, None] * PARTS).floor().long()
        down = ((middle - y[:, None]) / size[:, None] * PARTS).floor().long()
        fits = ((across >= 0) & (across < PARTS))[:, None] & ((down >= 0) & (down < PARTS))[:, :, None]
        fits = fits & (kind > 0)[:, None, None]
        kinds[:] = torch.where(fits, kind[:, None, None], kinds)
        parts[:] = torch.where(fits, down[:, :, None] * PARTS + across[:, None], parts)


def _split(codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Objects (B, 4, 7), background (B, 3), text (B, 9)."""
    end = MOST_ITEMS * ITEM_FIELDS
    return codes[:, :end].reshape(-1, MOST_ITEMS, ITEM_FIELDS), codes[:, end : end + 3], codes[:, end + 3 :]


def _line(letters: torch.Tensor, row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Left and top of the line of characters; see `Text.letters`."""
    count = (letters >= 0).sum(1)
    return SIDE // 2 - count * (GLYPH_SIZE // 2), torch.where(row > 0, 208, 16)


def _inside(pixels: torch.Tensor, start: torch.Tensor, size: torch.Tensor | int) -> torch.Tensor:
    """Where pixels fall in spans, as grid_sample counts: -1 at the start, 1 at the end. (B, pixels)"""
    extent = size if isinstance(size, int) else size[:, None]
    return (pixels - start[:, None]) / extent * 2 - 1


def _spread(drawings: torch.Tensor, across: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """Drawings (B, C, h, w) laid out over the canvas, (B, C, down, across); empty outside of them."""
    shape = (-1, down.shape[1], across.shape[1])
    grid = torch.stack([across[:, None].expand(shape), down[:, :, None].expand(shape)], dim=-1)
    return F.grid_sample(drawings, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _within(pixels: torch.Tensor, start: torch.Tensor, size: torch.Tensor | int) -> torch.Tensor:
    return _inside(pixels, start, size).abs() < 1


def _over(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    return above + (1 - above[:, 3:]) * below


def to_uint8(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures in -1..1 as bytes, rounded as the image processors round."""
    return ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
