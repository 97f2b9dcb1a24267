"""How large libraries are imported: late, quietly, and without looking for garbage meanwhile.

Knows nothing of what is imported.
"""

import gc
import logging
from collections.abc import Generator
from contextlib import contextmanager

_CHATTY = ("torchao", "torch.utils._pytree", "diffusers.quantizers")
"""Loggers that warn, when imported, of what this program does not use."""


@contextmanager
def large_imports() -> Generator[None]:
    """For the block's imports.

    Modules stay as long as the process: looking through them for garbage, again and again while they come, took a third
    of a cold `overpaint edit`. Afterwards they are left out of every later look as well.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        with _hushed():
            yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def _hushed() -> Generator[None]:
    """Keep the chatty from warning while they are imported."""
    levels = {name: logging.getLogger(name).level for name in _CHATTY}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
