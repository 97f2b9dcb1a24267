"""Which models callers can name, and what each may be asked for and costs. Read from TOML, nothing is in the code.

Knows no checkpoint: `ModelEntry.checkpoint` is only a name for whoever opens engines. An alias is a public id too; it may
narrow its model (``.../edit`` needs a picture) and have its own price.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from overpaint.core.request import MAX_IMAGES, MAX_PICTURES


@dataclass(frozen=True, slots=True)
class PictureRules:
    """What reference pictures a model takes.

    Args:
        min_count: 1 where the model edits only.
        max_count: 0 where it generates only.
        min_side_px: shorter side at least.
        max_side_px: longer side at most.
        is_scaled_down: whether a larger picture is scaled down rather than refused.
    """

    min_count: int = 0
    max_count: int = MAX_PICTURES
    min_side_px: int = 16
    max_side_px: int = 3072
    is_scaled_down: bool = True


@dataclass(frozen=True, slots=True)
class OutputRules:
    """What pictures a model can be asked for.

    Args:
        min_side_px: of an exact size.
        max_side_px: of an exact size.
        presets: names of shapes it takes (``"16:9"``).
        max_images: pictures a request may ask for.
    """

    min_side_px: int = 256
    max_side_px: int = 1536
    presets: tuple[str, ...] = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")
    max_images: int = MAX_IMAGES


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model as callers know it.

    Args:
        id: the name it was found by: its public id, or one of its aliases.
        base_id: its public id.
        title: one line for people.
        checkpoint: which checkpoint paints it; None is the one that is loaded.
        price_microusd: of one picture, in millionths of a dollar.
        max_prompt_chars: longest prompt.
        steps: denoising steps when a request names none; None is the checkpoint's own number.
        true_cfg_scale: guidance when a request names none.
        is_enhanced: whether prompts are enriched when a request does not say.
        pictures: what it takes.
        output: what it gives.
        aliases: other names of the model, for listings.
    """

    id: str
    base_id: str
    title: str
    checkpoint: str | None = None
    price_microusd: int = 0
    max_prompt_chars: int = 800
    steps: int | None = None
    true_cfg_scale: float = 1.0
    is_enhanced: bool = False
    pictures: PictureRules = PictureRules()
    output: OutputRules = OutputRules()
    aliases: tuple[str, ...] = ()


class Catalogue:
    """All models of this server.

    Args:
        entries: models and aliases; ids are unique.
    """

    def __init__(self, entries: Iterable[ModelEntry]) -> None:
        raise NotImplementedError

    @classmethod
    def read(cls, path: Path | None = None) -> Self:
        """Read a TOML file; None is the one that ships with the package.

        Raises:
            ConfigError: it is missing, not TOML, or an entry breaks a rule.
        """
        raise NotImplementedError

    def find(self, name: str) -> ModelEntry:
        """The model with this public id or alias.

        Raises:
            RequestError: field ``"model"``; there is none.
        """
        raise NotImplementedError

    def models(self) -> tuple[ModelEntry, ...]:
        """The models themselves, without aliases, in the file's order."""
        raise NotImplementedError

    def names(self) -> tuple[str, ...]:
        """Everything that can be named, aliases too."""
        raise NotImplementedError
