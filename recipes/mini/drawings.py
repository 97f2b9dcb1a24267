"""Makes the sheets in `assets/` from npm packages: drawings of two styles, and the characters.

    python -m recipes.mini.drawings        (needs npm and resvg-py)

Flat drawings are Fluent Emoji (MIT), shaded ones Noto Emoji (Apache-2.0), characters Noto Sans SC
(OFL-1.1). Knows nothing of scenes.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from recipes.mini.glyphs import CHARACTERS, GLYPH_SIZE
from recipes.mini.objects import ASSETS, SHEET_COLUMNS, SPRITE_SIZE, THINGS

CACHE = Path(__file__).parent / ".cache"
ICONS = {"flat": "@iconify-json/fluent-emoji-flat@1.2.6", "shaded": "@iconify-json/noto@1.2.9"}
FONT = "@expo-google-fonts/noto-sans-sc@0.4.3"
FONT_FILE = "package/700Bold/NotoSansSC_700Bold.ttf"
ICONS_FILE = "package/icons.json"


def archive_of(package: str) -> Path:
    """Where the cache keeps a package."""
    name, version = package.removeprefix("@").replace("/", "-").rsplit("@", 1)
    return CACHE / f"{name}-{version}.tgz"


def fetch(package: str, member: str) -> bytes:
    """One file of an npm package, which is downloaded into the git-ignored cache when absent."""
    CACHE.mkdir(exist_ok=True)
    archive = archive_of(package)
    if not archive.exists():
        subprocess.run(["npm", "pack", package], cwd=CACHE, check=True, capture_output=True)
    with tarfile.open(archive) as tar:
        file = tar.extractfile(member)
        if file is None:
            raise FileNotFoundError(f"{member} in {archive}")
        return file.read()


def rasterise(icons: dict[str, Any], icon: str) -> Image.Image:
    """One drawing as an RGBA picture of 128 x 128 pixels."""
    import resvg_py

    extent = icons.get("width", 32)
    body = icons["icons"][icon]["body"]
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {extent} {extent}">{body}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=svg, width=SPRITE_SIZE, height=SPRITE_SIZE)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


def draw_sheet(icons: dict[str, Any]) -> Image.Image:
    """All things of one style, in rows."""
    rows = -(-len(THINGS) // SHEET_COLUMNS)
    sheet = Image.new("RGBA", (SHEET_COLUMNS * SPRITE_SIZE, rows * SPRITE_SIZE))
    for index, thing in enumerate(THINGS):
        row, column = divmod(index, SHEET_COLUMNS)
        sheet.paste(rasterise(icons, thing.icon), (column * SPRITE_SIZE, row * SPRITE_SIZE))
    return sheet


def draw_glyphs(font_file: bytes) -> Image.Image:
    """All characters side by side, each centred in its cell on a common baseline."""
    font = ImageFont.truetype(io.BytesIO(font_file), size=GLYPH_SIZE - 3)
    strip = Image.new("L", (len(CHARACTERS) * GLYPH_SIZE, GLYPH_SIZE))
    pen = ImageDraw.Draw(strip)
    for index, character in enumerate(CHARACTERS):
        pen.text(((index + 0.5) * GLYPH_SIZE, GLYPH_SIZE - 5), character, fill=255, font=font, anchor="ms")
    return strip


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for style, package in ICONS.items():
        icons = json.loads(fetch(package, ICONS_FILE))
        draw_sheet(icons).save(ASSETS / f"{style}.webp", lossless=True, quality=100, method=6)
    draw_glyphs(fetch(FONT, FONT_FILE)).save(ASSETS / "glyphs.png", optimize=True)


if __name__ == "__main__":
    main()
