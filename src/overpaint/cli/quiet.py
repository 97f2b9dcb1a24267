"""Keeps the chatter of the libraries below off the terminal. Errors of theirs arrive as exceptions anyway."""

import logging
import warnings

from overpaint.settings import silence_libraries

_LIBRARIES = (
    "transformers",
    "diffusers",
    "huggingface_hub",
    "torch",
    "torch.utils._pytree",
    "torchao",
    "accelerate",
    "peft",
)


def hush(*, keep_bars: bool = False) -> None:
    """Silence warnings and logs below error; call it before the libraries are imported.

    Args:
        keep_bars: whether the libraries may draw their own progress bars.
    """
    silence_libraries(keep_bars=keep_bars)
    warnings.simplefilter("ignore")
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)
