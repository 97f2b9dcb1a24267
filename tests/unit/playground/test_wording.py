"""Every language says everything, and every word that the scripts ask for is there."""

import re
from pathlib import Path

import pytest

from overpaint.playground import assets
from overpaint.playground.wording import LANGUAGES, words_of

SCRIPTS = sorted(assets.FOLDER.glob("*.js"))
SOURCES = sorted(Path(assets.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_every_language_has_the_same_names_and_the_same_places(language: str) -> None:
    english, words = words_of("en"), words_of(language)
    assert set(words) == set(english)
    for name, text in words.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[name])), name


def test_the_scripts_ask_for_words_that_are_there() -> None:
    words = words_of("en")
    asked = {name for path in SCRIPTS for name in re.findall(r"\bwords\.(\w+)", path.read_text())}
    assert asked - set(words) == set()
    assert len(asked) > 80


def test_no_word_is_left_over() -> None:
    texts = "\n".join(path.read_text() for path in (*SCRIPTS, *SOURCES))
    prefixes = ("state_", "mode_", "fact_", "background_", "acceleration_")
    unused = [name for name in words_of("en") if not name.startswith(prefixes) and not re.search(rf"\b{name}\b", texts)]
    assert unused == []


def test_a_word_with_values() -> None:
    assert words_of("zh").say("estimate", price="$0.02", seconds="1.5") == "$0.02 · 约 1.5 秒"
