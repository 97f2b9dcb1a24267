"""Each dialect's page tells what becomes of every field, and the code agrees.

A page has a table under ``## Fields``: ``| `field` | what becomes of it |``. A cell that begins with ``no effect`` is a
field that is accepted and changes nothing; every other one is honoured or refused, so the dialect's code reads it. Code
reads an input's field as ``body.field``, a schema its own as ``self.field``.
"""

import importlib
import re
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

import overpaint.api.dialects as dialects
from overpaint.api.dialects import DIALECTS

PAGES = Path(__file__).parents[3] / "docs" / "reference" / "dialects"
NAMES = [dialect.name for dialect in DIALECTS]
FIELD = re.compile(r"^\| (`[^|]+`) +\| *([^|]*?) *\|$", re.MULTILINE)
READ = re.compile(r"\b(?:body|self)\.([A-Za-z]\w*)")


def documented(name: str) -> dict[str, str]:
    """What the page says of each field; one row may name several."""
    _, _, after = (PAGES / f"{name}.md").read_text().partition("## Fields\n")
    section = after.partition("\n## ")[0]
    return {field: effect for cell, effect in FIELD.findall(section) for field in re.findall(r"`([\w.]+)`", cell)}


def inputs(name: str) -> tuple[type[BaseModel], ...]:
    """The bodies that a painting can be asked for with: what the dialect's `schemas` names as `INPUTS`."""
    return importlib.import_module(f"{dialects.__name__}.{name}.schemas").INPUTS


def fields(name: str) -> set[str]:
    """Every name that the wire has for a field of them."""
    return {field.alias or key for model in inputs(name) for key, field in model.model_fields.items()}


def attributes(name: str) -> dict[str, str]:
    """What the code calls each field."""
    return {field.alias or key: key for model in inputs(name) for key, field in model.model_fields.items()}


def read_fields(name: str) -> set[str]:
    """Everything that the dialect's code reads of a body, or the code that stands beside a schema below it."""
    folder = Path(next(iter(importlib.import_module(f"{dialects.__name__}.{name}").__path__)))
    below = {Path(str(sys.modules[model.__module__].__file__)) for model in inputs(name)}
    return {field for path in {*folder.rglob("*.py"), *below} for field in READ.findall(path.read_text())}


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_a_row_and_no_other_has(name: str) -> None:
    assert set(documented(name)) == fields(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_effect_is_read_nowhere_and_everything_else_is(name: str) -> None:
    known, read = attributes(name), read_fields(name)
    for field, effect in documented(name).items():
        assert effect, field
        assert (known[field] in read) != effect.startswith("no effect"), field


@pytest.mark.parametrize("name", NAMES)
def test_who_moves_here_is_told_how(name: str) -> None:
    assert (PAGES.parents[1] / "howto" / f"migrate-from-{name}.md").exists()


def test_every_dialect_has_a_page_and_every_page_is_of_one() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(NAMES)
