"""What may be asked for and shown: rules on words, and a look at pictures behind a port.

Knows no particular classifier. `off` looks at nothing, `flag` tells, `block` refuses.
"""

import asyncio
from collections.abc import Sequence
from typing import Literal, Protocol

from overpaint.core.errors import ContentError
from overpaint.core.picture import Picture
from overpaint.service.prompt_rules import PromptRule

SafetyMode = Literal["off", "flag", "block"]


class PictureChecker(Protocol):
    """Judges pictures; may take a while and is called from threads."""

    def score(self, picture: Picture) -> float:
        """How likely the picture is not safe for work, 0..1."""
        ...


class Safety:
    """The rules of this server.

    Args:
        mode: what to do about pictures; rules on words hold in every mode.
        checker: judges pictures; None judges none.
        rules: on prompts.
        threshold: score from which a picture counts as unsafe.
    """

    def __init__(
        self,
        mode: SafetyMode = "off",
        checker: PictureChecker | None = None,
        rules: Sequence[PromptRule] = (),
        threshold: float = 0.8,
    ) -> None:
        self.mode = mode
        self._rules = tuple(rules)
        self._checker = checker if mode != "off" else None
        self._threshold = threshold

    def check_words(self, words: str, field_name: str = "prompt") -> None:
        """Refuse words that break a rule.

        Raises:
            ContentError: with the rule's reason.
        """
        for rule in self._rules:
            if rule.matches(words):
                raise ContentError(field_name, words, rule.reason)

    async def check_input(self, picture: Picture, field_name: str) -> None:
        """Refuse an unsafe reference, in mode `block`.

        Raises:
            ContentError: it is unsafe.
        """
        if self.mode == "block" and await self.is_unsafe(picture):
            raise ContentError(field_name, f"{picture.width}x{picture.height}", "is not safe for work")

    async def is_unsafe(self, picture: Picture) -> bool | None:
        """What the checker says; None when nobody looks."""
        if self._checker is None:
            return None
        return await asyncio.to_thread(self._checker.score, picture) >= self._threshold
