"""Overpaint: a self-hosted engine for Qwen-Image-2.x, one model family that paints and edits pictures.

`from overpaint import Overpaint` is the door for notebooks and scripts; the command line is `overpaint --help`.
Importing this package imports neither torch nor anything else that is slow.
"""

from typing import TYPE_CHECKING

from overpaint.version import __version__

if TYPE_CHECKING:
    from overpaint.local import Overpaint

__all__ = ["Overpaint", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Overpaint":
        from overpaint.local import Overpaint

        return Overpaint
    raise AttributeError(f"module 'overpaint' has no attribute {name!r}")
