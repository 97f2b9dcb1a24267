"""What the documents promise is there, and what is there is documented."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from overpaint.api.errors import STATUS_OF, UnfinishedTaskError
from overpaint.api.native import NATIVE
from overpaint.api.native.schemas import TaskIn
from overpaint.cli.app import build_app
from overpaint.cli.failure import exit_code_of
from overpaint.core import errors
from overpaint.core.errors import OverpaintError
from overpaint.settings import ServerSettings
from overpaint.version import __version__

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "examples", "recipes/lora", "recipes/mini")),
    *sorted((ROOT / "src").rglob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]*)#?([^)]*)\)")


CODE = re.compile(r"`([a-z_]+)`")


def error_classes() -> Iterator[type[OverpaintError]]:
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, OverpaintError):
            yield value


def anchors_of(document: Path) -> set[str]:
    """What a link may name of a document: its headings as the forges make anchors of them."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def flags_of(command: str) -> set[str]:
    from typer.main import get_command

    root = get_command(build_app())
    chosen = root.commands[command] if command else root  # pyright: ignore[reportAttributeAccessIssue]
    flags = {flag for parameter in chosen.params for flag in parameter.opts if flag.startswith("-")}
    return flags - {"--help", "-h"}


@pytest.mark.parametrize("command", ["", "generate", "edit", "doctor"])
def test_every_flag_has_a_row(command: str) -> None:
    text = (REFERENCE / "cli.md").read_text()
    for flag in flags_of(command):
        assert re.search(rf"^\|.*`{flag}`", text, re.MULTILINE), flag


def test_every_flag_in_the_reference_exists() -> None:
    rows = re.findall(r"^\| (`-.*?) \|", (REFERENCE / "cli.md").read_text(), re.MULTILINE)
    documented = {flag for row in rows for flag in re.findall(r"`(-[^`]+)`", row)}
    assert documented == {flag for command in ("", "generate", "edit", "doctor") for flag in flags_of(command)}


OF_EVERY_SERVER = {"--data-dir", "--database", "--config"}


@pytest.mark.parametrize("path", [("usage",), *(("keys", name) for name in ("create", "list", "limit", "revoke"))])
def test_every_flag_of_the_keys_and_of_usage_is_named(path: tuple[str, ...]) -> None:
    from typer.main import get_command

    command = get_command(build_app())
    for name in path:
        command = command.commands[name]  # pyright: ignore[reportAttributeAccessIssue]
    flags = {flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")}
    text = (REFERENCE / "cli.md").read_text()
    assert {flag for flag in flags - {"--help"} - OF_EVERY_SERVER if f"`{flag}`" not in text} == set()


def settings_rows() -> list[tuple[str, str, str]]:
    """Variable, flags and default of each setting."""
    row = r"^\| `(OVERPAINT_\w+)` \| (.*?) \| (.*?) \|"
    return re.findall(row, (REFERENCE / "settings.md").read_text(), re.MULTILINE)


def settings_table() -> dict[str, set[str]]:
    """The flags of each setting, by its variable."""
    return {variable: set(re.findall(r"`(--[\w-]+)`", flags)) for variable, flags, _ in settings_rows()}


@pytest.mark.parametrize(("variable", "default"), [(variable, default) for variable, _, default in settings_rows()])
def test_a_setting_has_the_default_that_is_listed(variable: str, default: str) -> None:
    field = ServerSettings.model_fields.get(variable.removeprefix("OVERPAINT_").lower())
    match field.default if field else None:
        case None | "":
            assert not re.search(r"[`\d]", default)
        case bool(value):
            assert default == ("on" if value else "off")
        case int(value) | float(value):
            assert default == f"{value:g}"
        case value:
            assert default == f"`{value}`"


def test_every_setting_has_a_row_and_nothing_else_does() -> None:
    names = (*ServerSettings.model_fields, "config")
    assert sorted(settings_table()) == sorted(f"OVERPAINT_{name}".upper() for name in names)


def test_a_setting_is_listed_with_its_flag() -> None:
    from typer.main import get_command

    serve = get_command(build_app()).commands["serve"]  # pyright: ignore[reportAttributeAccessIssue]
    flags = {
        f"OVERPAINT_{parameter.name}".upper().rstrip("_"): {*parameter.opts, *parameter.secondary_opts}
        for parameter in serve.params
        if parameter.name != "help"
    }
    assert {variable: found for variable, found in settings_table().items() if found} == flags


@pytest.mark.parametrize("kind", list(error_classes()))
def test_every_error_has_a_row_that_is_true(kind: type[OverpaintError]) -> None:
    row = re.search(rf"^\| `{kind.code}` \|.*$", (REFERENCE / "errors.md").read_text(), re.MULTILINE)
    assert row, kind.code
    _, _, name, retryable, code, *_ = (cell.strip() for cell in row[0].split("|"))
    assert name == f"`{kind.__name__}`"
    assert retryable == ("yes" if kind.retryable else "no")
    assert int(code) == exit_code_of(kind.__new__(kind))


def test_every_error_of_the_native_api_is_listed_beside_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}[\d, ]*) \| (.*) \|$", (REFERENCE / "http-api.md").read_text(), re.MULTILINE)
    listed = {
        (int(status), code) for statuses, text in rows for status in statuses.split(", ") for code in CODE.findall(text)
    }
    answered = {(status, kind.code) for kind, status in STATUS_OF.items() if kind is not UnfinishedTaskError}
    assert answered <= listed


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for target, anchor in LINK.findall(document.read_text()):
        found = document.parent / target if target else document
        assert found.exists(), target
        assert not anchor or anchor in anchors_of(found), f"{target}#{anchor}"


def test_every_picture_of_the_documents_is_shown_somewhere() -> None:
    shown = {
        (document.parent / target).resolve()
        for document in DOCUMENTS
        for target, _ in LINK.findall(document.read_text())
    }
    assert not {path for path in (ROOT / "docs" / "assets").iterdir() if path.resolve() not in shown}


def test_the_readme_names_every_module_that_is_there() -> None:
    """A tree in a README is trusted; one that is out of date is worse than none."""
    text = (ROOT / "README.md").read_text()
    package = ROOT / "src" / "overpaint"
    for path in package.iterdir():
        if path.name.startswith("_") or path.name == "py.typed":
            continue
        name = f"{path.name}/" if path.is_dir() else path.name
        assert re.search(rf"^ +{re.escape(name)} ", text, re.MULTILINE), name


def test_version_and_changelog_agree() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] == __version__


def test_every_call_and_field_of_the_native_api_has_a_row() -> None:
    text = (REFERENCE / "http-api.md").read_text()
    app = FastAPI()
    app.include_router(NATIVE.router)
    calls = {
        f"{method.upper()} /overpaint/v1{re.sub(r'{(task|model)_id}', '{id}', path)}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    assert set(re.findall(r"`((?:GET|POST|PUT|DELETE) /overpaint/v1/[^`]*)`", text)) == calls
    assert set(re.findall(r"^\| `(\w+)` \|.*\|.*\|.*\|$", text, re.MULTILINE)) == set(TaskIn.model_fields)
