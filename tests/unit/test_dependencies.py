"""What the package imports, its users have: nothing of it comes from an extra that only development installs."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ASKED_FOR_FIRST = {"torchao", "gguf"}  # where they are missing, an error says which extra to install


def imported_by(source: Path) -> Iterator[str]:
    """Top-level names of the modules that a file imports anywhere, for types only included."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_import_of_the_package_is_a_dependency_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    files = list((ROOT / "src").rglob("*.py"))
    names = {name for file in files for name in imported_by(file)} - sys.stdlib_module_names - {"overpaint"}
    owners = packages_distributions()
    missing = {
        name for name in names - ASKED_FOR_FIRST if not declared & {canonicalize_name(o) for o in owners.get(name, ())}
    }
    assert "torch" in names
    assert not missing
