"""The catalogue as TOML files: `[defaults]`, `[[model]]` and `[[model.alias]]`, each with the same optional fields.

Files of `[[alias]]` add a vendor's names to it: each says of which model (`of`), and narrows it like any alias.

Unknown fields are errors: a typo must not become a default. Values of another type than meant are errors too.
"""

import tomllib
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any, cast

from overpaint.core.errors import ConfigError
from overpaint.service.catalogue import Catalogue, ModelEntry, OutputRules, PictureRules

BUNDLED = Path(__file__).with_name("models.toml")
MICROUSD = 1_000_000
_Table = dict[str, Any]
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "title": str,
    "price_usd": (int, float),
    "max_prompt_chars": int,
    "steps": int,
    "true_cfg_scale": (int, float),
    "enhance": bool,
    "pictures": list,
    "picture_side_px": list,
    "scale_down": bool,
    "size_px": list,
    "presets": list,
    "max_images": int,
}


def read_catalogue(path: Path | None = None, alias_files: Iterable[Path] = ()) -> Catalogue:
    """Read a catalogue file, and files of other names for its models.

    Args:
        path: None is the catalogue that ships with the package.
        alias_files: an alias that the catalogue has itself, or of a model that it lacks, is left out.

    Raises:
        ConfigError: one is missing, not TOML, or an entry breaks a rule.
    """
    data = _read(path or BUNDLED)
    return parse_catalogue(data, [table for file in alias_files for table in _read(file).get("alias", [])])


def parse_catalogue(data: _Table, aliases: Iterable[_Table] = ()) -> Catalogue:
    """A catalogue from what `tomllib` gives.

    Raises:
        ConfigError: an entry breaks a rule.
    """
    for key in data:
        if key not in ("defaults", "model"):
            raise ConfigError(f"models: [{key}] must be [defaults] or [[model]]")
    defaults = _checked(data.get("defaults", {}))
    models = [dict(table) for table in data.get("model", [])]
    _adopt(models, aliases)
    return Catalogue(entry for model in models for entry in _entries(defaults, model))


def _read(path: Path) -> _Table:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"models: {path} cannot be read ({exc.strerror or exc})") from exc
    except ValueError as exc:
        raise ConfigError(f"models: {path} is not TOML ({exc})") from exc


def _adopt(models: list[_Table], aliases: Iterable[_Table]) -> None:
    """Give each alias to its model, as if the catalogue had named it."""
    by_id = {model.get("id"): model for model in models}
    known = {table.get("id") for model in models for table in (model, *model.get("alias", []))}
    for table in aliases:
        alias = dict(table)
        model = by_id.get(alias.pop("of", None))
        if model is not None and alias.get("id") not in known:
            model["alias"] = [*model.get("alias", []), alias]


def _entries(defaults: _Table, table: _Table) -> Iterator[ModelEntry]:
    """A model and its aliases; an alias takes what it does not say from its model."""
    aliases = [_checked(alias) for alias in table.pop("alias", [])]
    model = defaults | _checked(table)
    base_id = _id_of(model)
    names = tuple(_id_of(alias) for alias in aliases)
    yield _entry(model, base_id, names)
    for alias in aliases:
        yield _entry(model | alias, base_id, names)


def _entry(table: _Table, base_id: str, aliases: tuple[str, ...]) -> ModelEntry:
    min_count, max_count = _range(table, "pictures", (0, 6))
    min_picture, max_picture = _range(table, "picture_side_px", (16, 3072))
    min_size, max_size = _range(table, "size_px", (256, 1536))
    output = OutputRules(min_size, max_size)
    return ModelEntry(
        id=table["id"],
        base_id=base_id,
        title=table.get("title", table["id"]),
        price_microusd=round(table.get("price_usd", 0) * MICROUSD),
        max_prompt_chars=table.get("max_prompt_chars", 5000),
        steps=table.get("steps"),
        true_cfg_scale=float(table.get("true_cfg_scale", 1.0)),
        is_enhanced=table.get("enhance", False),
        pictures=PictureRules(min_count, max_count, min_picture, max_picture, table.get("scale_down", True)),
        output=OutputRules(
            min_size,
            max_size,
            tuple(table.get("presets", output.presets)),
            table.get("max_images", output.max_images),
        ),
        aliases=aliases,
    )


def _checked(table: _Table) -> _Table:
    for key, value in table.items():
        kind = _FIELDS.get(key)
        if kind is None:
            raise ConfigError(f"models: {key} is not a field; the fields are {', '.join(_FIELDS)}")
        is_stray_bool = isinstance(value, bool) and kind is not bool
        is_no_number = isinstance(value, float) and not isfinite(value)
        if is_stray_bool or is_no_number or not isinstance(value, kind):
            raise ConfigError(f"models: {key}: {value!r} is of the wrong type")
    return table


def _id_of(table: _Table) -> str:
    if "id" not in table:
        raise ConfigError("models: every [[model]] and [[model.alias]] must have an id")
    return table["id"]


def _range(table: _Table, key: str, default: tuple[int, int]) -> tuple[int, int]:
    values = cast(list[object], table.get(key, list(default)))
    match values:
        case [int() as low, int() as high]:
            return low, high
        case _:
            raise ConfigError(f"models: {key}: {values!r} must be [min, max]")
