"""The page's words in each of its languages, from `words/*.toml`; every language has the same names."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("words")
LANGUAGES = {"en": "English", "zh": "中文"}


class Words(Mapping[str, str]):
    """One language.

    Args:
        language: of `LANGUAGES`.
        texts: by name.
    """

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = dict(texts)

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self):  # noqa: ANN204 - the base says what it is
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def say(self, name: str, **values: object) -> str:
        """A text with its values put in."""
        return self._texts[name].format(**values)


@cache
def words_of(language: str) -> Words:
    """The words of a language."""
    return Words(language, tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8")))
