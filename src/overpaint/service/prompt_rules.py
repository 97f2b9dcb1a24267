"""Words that this server does not paint, as an operator's TOML file of `[[rule]]`: a pattern, and the reason told.

Knows no request; a rule only looks at words.
"""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from overpaint.core.errors import ConfigError

_FIELDS = ("pattern", "reason")


@dataclass(frozen=True, slots=True)
class PromptRule:
    """Words that are refused, and why.

    Args:
        pattern: regular expression, found anywhere, upper and lower case alike.
        reason: told to the caller, as a clause (``"asks for ..."``).

    Raises:
        ConfigError: the pattern is no regular expression, or one of the two is empty.
    """

    pattern: str
    reason: str
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in _FIELDS:
            if not getattr(self, name).strip():
                raise ConfigError(f"prompt rules: {name} must not be empty")
        try:
            object.__setattr__(self, "_regex", re.compile(self.pattern, re.IGNORECASE))
        except re.error as exc:
            raise ConfigError(f"prompt rules: {self.pattern!r} is no regular expression ({exc})") from exc

    def matches(self, words: str) -> bool:
        """Whether the words break the rule."""
        return self._regex.search(words) is not None


def read_prompt_rules(path: Path) -> tuple[PromptRule, ...]:
    """Read a file of rules.

    Raises:
        ConfigError: it is missing, not TOML, or a rule lacks a field, has another one or cannot be used.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"prompt rules: {path} cannot be read ({exc.strerror or exc})") from exc
    except ValueError as exc:
        raise ConfigError(f"prompt rules: {path} is not TOML ({exc})") from exc
    tables = data.get("rule")
    if set(data) != {"rule"} or not isinstance(tables, list):
        raise ConfigError(f"prompt rules: {path} must hold [[rule]] tables and nothing else")
    return tuple(_rule(table) for table in cast("list[object]", tables))


def _rule(table: object) -> PromptRule:
    fields = cast("dict[str, object]", table) if isinstance(table, dict) else {}
    pattern, reason = (fields.get(name) for name in _FIELDS)
    if set(fields) != set(_FIELDS) or not isinstance(pattern, str) or not isinstance(reason, str):
        raise ConfigError(f"prompt rules: {table!r} must be a text `pattern` and a text `reason`")
    return PromptRule(pattern, reason)
