"""The page's words in each of its languages, from `words/*.toml`; every language has the same names.

What the service says of an error is English; `rules.*.toml` has it in other languages.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("words")
LANGUAGES = {"en": "English", "zh": "中文"}
SPOKEN = "en"
"""What the service speaks."""


class Words(Mapping[str, str]):
    """One language.

    Args:
        language: of `LANGUAGES`.
        texts: by name.
        rules: the service's clauses as patterns, and how they are said here.
    """

    def __init__(self, language: str, texts: Mapping[str, str], rules: Mapping[str, str]) -> None:
        self.language = language
        self._texts = dict(texts)
        self._rules = [(re.compile(pattern), said) for pattern, said in rules.items()]

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self):  # noqa: ANN204 - the base says what it is
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def say(self, name: str, **values: object) -> str:
        """A text with its values put in."""
        return self._texts[name].format(**values)

    def rule(self, said: str) -> str:
        """A clause or a sentence of the service in this language; as it is where it is not known."""
        for pattern, text in self._rules:
            if found := pattern.fullmatch(said):
                return text.format(*(self.rule(part) for part in found.groups("")))
        return said


@cache
def words_of(language: str) -> Words:
    """The words of a language."""
    rules: dict[str, str] = {} if language == SPOKEN else _read(f"rules.{language}")["rules"]
    return Words(language, _read(language), rules)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
