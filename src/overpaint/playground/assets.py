"""The page's own scripts, styles and pictures: where they lie, and the URL they are cached under for good.

URLs are relative to where the page is, so that a proxy may serve it below a path of its own.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("assets")
ROOT = "page/assets"
MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
}


@cache
def version() -> str:
    """Changes when any of them does."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def url_of(name: str) -> str:
    """Where a file is served, from `/`."""
    return f"{ROOT}/{version()}/{name}"


def imported(name: str) -> str:
    """A script's expression that imports the module of that name, from wherever it stands in the page."""
    return f"import(new URL({json.dumps(url_of(name))}, document.baseURI))"


def find(name: str) -> Path | None:
    """The file of that name; None where there is none."""
    path = FOLDER / name
    return path if path.suffix in MEDIA_TYPES and path.parent == FOLDER and path.is_file() else None
