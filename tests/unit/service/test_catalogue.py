"""The catalogue that ships, and every mistake one can make in one's own."""

from pathlib import Path
from typing import Any

import pytest

from overpaint.core.errors import ConfigError, RequestError
from overpaint.service.catalogue_file import parse_catalogue, read_catalogue


def test_the_shipped_catalogue_has_what_is_promised() -> None:
    catalogue = read_catalogue()
    assert [entry.id for entry in catalogue.models()] == [
        "qwen-image-2.0",
        "qwen-image-2.0-pro",
        "qwen-image-edit-plus",
    ]
    standard, pro = catalogue.find("qwen-image-2.0"), catalogue.find("qwen-image-2.0-pro")
    assert (standard.pictures.min_count, standard.pictures.max_count, standard.pictures.max_side_px) == (0, 6, 3072)
    assert (standard.max_prompt_chars, standard.output.max_side_px) == (5000, 1536)
    assert pro.is_enhanced
    assert not standard.is_enhanced
    assert (standard.steps or 0) < (pro.steps or 0)
    assert pro.price_microusd == 30_000


ALIASES = Path(__file__).with_name("aliases.toml")


def test_an_alias_narrows_its_model() -> None:
    catalogue = read_catalogue(None, [ALIASES])
    edit = catalogue.find("/shop/edit")
    assert (edit.base_id, edit.pictures.min_count) == ("qwen-image-2.0", 1)
    assert edit.id in catalogue.find("qwen-image-2.0").aliases
    assert edit.price_microusd == catalogue.find("qwen-image-2.0").price_microusd
    assert edit.id in catalogue.names()


def test_an_alias_of_a_model_that_is_not_there_or_of_a_known_name_is_left_out() -> None:
    catalogue = read_catalogue(None, [ALIASES])
    assert "shop/other" not in catalogue.names()
    assert catalogue.find("qwen-image-edit-plus").base_id == "qwen-image-edit-plus"


def test_an_unknown_model_is_told_with_those_there_are() -> None:
    with pytest.raises(RequestError, match="qwen-image-edit-plus"):
        read_catalogue().find("dall-e")


BAD: list[tuple[str, dict[str, Any]]] = [
    (r"no \[\[model\]\]", {}),
    ("defaults", {"default": {}}),
    ("an id", {"model": [{"title": "x"}]}),
    ("twice", {"model": [{"id": "a"}, {"id": "a"}]}),
    ("twice", {"model": [{"id": "a", "alias": [{"id": "a"}]}]}),
    ("pricee", {"model": [{"id": "a", "pricee": 1}]}),
    ("wrong type", {"model": [{"id": "a", "steps": "4"}]}),
    ("wrong type", {"model": [{"id": "a", "steps": True}]}),
    ("steps", {"model": [{"id": "a", "steps": 0}]}),
    ("true_cfg_scale", {"model": [{"id": "a", "true_cfg_scale": 0.5}]}),
    ("true_cfg_scale", {"model": [{"id": "a", "alias": [{"id": "b", "true_cfg_scale": 31}]}]}),
    ("checkpoint is not a field", {"model": [{"id": "a", "checkpoint": "other"}]}),
    ("price_usd", {"model": [{"id": "a", "price_usd": -1}]}),
    ("price_usd: nan", {"model": [{"id": "a", "price_usd": float("nan")}]}),
    ("price_usd: inf", {"defaults": {"price_usd": float("inf")}}),
    ("min, max", {"model": [{"id": "a", "pictures": [1]}]}),
    ("min, max", {"model": [{"id": "a", "pictures": [3, 1]}]}),
    ("min, max", {"model": [{"id": "a", "size_px": [0, 10]}]}),
    ("presets", {"model": [{"id": "a", "presets": ["5:1"]}]}),
    ("max_images", {"model": [{"id": "a", "max_images": 99}]}),
    ("id", {"model": [{"id": " "}]}),
]


@pytest.mark.parametrize(("words", "data"), BAD)
def test_a_mistake_is_named(words: str, data: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_catalogue(data)


def test_a_file_that_is_not_there_or_not_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_catalogue(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(ConfigError, match="not TOML"):
        read_catalogue(tmp_path / "bad.toml")
