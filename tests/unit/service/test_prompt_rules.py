"""What an operator's file of rules refuses, and what is refused of the file."""

from pathlib import Path

import pytest

from overpaint.compose.outside import safety_of
from overpaint.core.errors import ConfigError, ContentError
from overpaint.service.prompt_rules import PromptRule, read_prompt_rules
from overpaint.service.safety import Safety
from overpaint.settings import read_server_settings
from tests.unit.service.conftest import NewWorld

pytestmark = pytest.mark.anyio

RULES = """
[[rule]]
pattern = '\\bforbidden\\b'
reason = "asks for what this server does not paint"

[[rule]]
pattern = '禁止'
reason = "is not painted here"
"""


@pytest.fixture
def safety(tmp_path: Path) -> Safety:
    path = tmp_path / "rules.toml"
    path.write_text(RULES, "utf-8")
    return safety_of(read_server_settings({"prompt_rules": path}))


async def test_what_a_rule_names_is_refused_with_its_reason_before_it_is_charged(
    new_world: NewWorld, safety: Safety
) -> None:
    world = await new_world(safety=safety)
    for asked in ({"prompt": "a Forbidden cat"}, {"negative_prompt": "forbidden"}):
        with pytest.raises(ContentError, match=r"prompt: .* asks for what this server does not paint"):
            await world.submit(**asked)
    with pytest.raises(ContentError, match="is not painted here"):
        await world.service.submit.enhance(world.caller, "禁止的猫", is_edit=False)
    assert (await world.submit(prompt="an unforbidden cat")).id


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]]\npattern = '('\nreason = 'no'", "no regular expression"),
        ("[[rule]]\npattern = 'x'", "a text `pattern` and a text `reason`"),
        ("[[rule]]\npattern = 'x'\nreason = 'no'\nmode = 'block'", "a text `pattern` and a text `reason`"),
        ("[[rule]]\npattern = 'x'\nreason = ' '", "reason must not be empty"),
        ("[[rules]]\npattern = 'x'\nreason = 'no'", "must hold"),
        ("rule = 'x'", "must hold"),
        ("rule = ['x']", "a text `pattern`"),
        ("rule", "is not TOML"),
        ("", "must hold"),
    ],
)
def test_a_mistake_in_the_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=told):
        read_prompt_rules(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_prompt_rules(tmp_path / "none.toml")


def test_a_rule_is_found_anywhere() -> None:
    assert PromptRule("cat|dog", "no").matches("two DOGS")
