"""Which models callers can name, and what each may be asked for and costs.

Plain values and a look-up; `catalogue_file` reads them from TOML. Knows no checkpoint: all are painted by the one that
is loaded. An alias is a public id too; it may narrow its model (``.../edit`` needs a picture) and have its own price.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from overpaint.core.errors import ConfigError, RequestError
from overpaint.core.request import MAX_CFG_SCALE, MAX_IMAGES, MAX_PICTURES, MAX_STEPS
from overpaint.core.sizes import PRESETS


def _need(field: str, value: object, ok: bool, rule: str) -> None:
    if not ok:
        raise ConfigError(f"models: {field}: {value!r} {rule}")


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

    def __post_init__(self) -> None:
        _need("pictures", self.max_count, 0 <= self.min_count <= self.max_count <= MAX_PICTURES, "must be [min, max]")
        _need("picture_side_px", self.max_side_px, 1 <= self.min_side_px <= self.max_side_px, "must be [min, max]")

    def check_count(self, count: int) -> None:
        """See that a model takes that many pictures.

        Raises:
            RequestError: it does not.
        """
        if count > self.max_count == 0:
            raise RequestError("images", count, "cannot be given: this model only generates")
        if count > self.max_count:
            raise RequestError("images", count, f"are too many; give at most {self.max_count}")
        if count < self.min_count:
            raise RequestError("images", count, f"are too few; give at least {self.min_count}")


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
    presets: tuple[str, ...] = tuple(PRESETS)
    max_images: int = MAX_IMAGES

    def __post_init__(self) -> None:
        _need("size_px", self.max_side_px, 1 <= self.min_side_px <= self.max_side_px, "must be [min, max]")
        _need("presets", self.presets, set(self.presets) <= set(PRESETS), f"must be of {', '.join(PRESETS)}")
        _need("max_images", self.max_images, 1 <= self.max_images <= MAX_IMAGES, f"must be 1 to {MAX_IMAGES}")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model as callers know it.

    Args:
        id: the name it was found by: its public id, or one of its aliases.
        base_id: its public id.
        title: one line for people.
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
    price_microusd: int = 0
    max_prompt_chars: int = 5000
    steps: int | None = None
    true_cfg_scale: float = 1.0
    is_enhanced: bool = False
    pictures: PictureRules = PictureRules()
    output: OutputRules = OutputRules()
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _need("id", self.id, bool(self.id.strip()), "must not be blank")
        _need("price_usd", self.price_microusd, self.price_microusd >= 0, "must not be below 0")
        _need("max_prompt_chars", self.max_prompt_chars, self.max_prompt_chars >= 1, "must be at least 1")
        steps_ok = self.steps is None or 1 <= self.steps <= MAX_STEPS
        _need("steps", self.steps, steps_ok, f"must be 1 to {MAX_STEPS}")
        scale_ok = 1 <= self.true_cfg_scale <= MAX_CFG_SCALE
        _need("true_cfg_scale", self.true_cfg_scale, scale_ok, f"must be 1 to {MAX_CFG_SCALE:g}")


class Catalogue:
    """All models of this server.

    Args:
        entries: models and aliases, in order; ids are unique.

    Raises:
        ConfigError: an id is there twice, or there is no entry.
    """

    def __init__(self, entries: Iterable[ModelEntry]) -> None:
        self._entries: dict[str, ModelEntry] = {}
        for entry in entries:
            _need("id", entry.id, entry.id not in self._entries, "is there twice")
            self._entries[entry.id] = entry
        if not self._entries:
            raise ConfigError("models: no [[model]] is in the catalogue; it needs one at least")

    def find(self, name: str) -> ModelEntry:
        """The model with this public id or alias.

        Raises:
            RequestError: field ``"model"``; there is none.
        """
        entry = self._entries.get(name.strip("/ "))
        if entry is None:
            known = ", ".join(entry.id for entry in self.models())
            raise RequestError("model", name, f"is not a model of this server; it has {known}")
        return entry

    def models(self) -> tuple[ModelEntry, ...]:
        """The models themselves, without aliases, in order."""
        return tuple(entry for entry in self._entries.values() if entry.id == entry.base_id)

    def names(self) -> tuple[str, ...]:
        """Everything that can be named, aliases too."""
        return tuple(self._entries)
