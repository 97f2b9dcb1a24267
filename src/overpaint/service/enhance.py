"""Richer words for short prompts, behind a port. The caller's own words are kept beside whatever comes out.

An enhancer that fails costs nothing: the prompt is then painted as it was written.
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol, cast

from overpaint.core.errors import BackendError
from overpaint.core.own_threads import OwnThreads
from overpaint.core.ports import TextWriter

MAX_CHARS = 2000
MAX_TOKENS = 256
_ENDINGS = ".!?。！？" + "".join(char for char in map(chr, range(0x3001)) if char.isspace())
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_log = logging.getLogger(__name__)

INSTRUCTIONS = {
    False: "Rewrite the user's request for an image generator as one vivid, concrete paragraph of at most 120 words, "
    "in the language of the request. Keep every stated fact, name, number and quoted text exactly. Answer with the "
    "paragraph only.",
    True: "Rewrite the user's instruction for an image editor as one clear instruction of at most 80 words, in the "
    "language of the instruction. Keep every stated fact, name, number and quoted text exactly, and say that "
    "everything not mentioned stays unchanged. Answer with the instruction only.",
}


class Enhancer(Protocol):
    """Enriches prompts."""

    async def enhance(self, prompt: str, *, is_edit: bool) -> str:
        """Richer words for the same wish.

        Raises:
            BackendError: there are none to be had now.
        """
        ...


class RuleEnhancer:
    """Adds what a good prompt says besides its subject; leaves long prompts and finished ones alone.

    Args:
        max_words: longer prompts are taken to be complete.
    """

    def __init__(self, max_words: int = 24) -> None:
        self._max_words = max_words

    async def enhance(self, prompt: str, *, is_edit: bool) -> str:
        """See `Enhancer.enhance`; never fails."""
        words = prompt.rstrip(_ENDINGS)
        is_chinese = bool(_CHINESE.search(words))
        length = len(words) if is_chinese else len(words.split())
        if length > self._max_words or not words:
            return prompt
        if is_chinese:
            return f"{words}，{'其余部分保持不变' if is_edit else '主体清晰，构图均衡，光线柔和，细节丰富'}。"
        tail = (
            "keep everything else unchanged"
            if is_edit
            else "clear subject, balanced composition, soft light, fine detail"
        )
        return f"{words}, {tail}."


class ModelEnhancer:
    """Asks the checkpoint's own language model, which is there anyway.

    A question that nobody waits for any more keeps its thread until the engine answers.

    Args:
        writer: the engine.
    """

    def __init__(self, writer: TextWriter) -> None:
        self._writer = writer
        self._threads = OwnThreads("overpaint-enhancer", 4)

    async def enhance(self, prompt: str, *, is_edit: bool) -> str:
        """See `Enhancer.enhance`."""
        enriched = await self._threads.run(partial(self._writer.write, INSTRUCTIONS[is_edit], prompt, MAX_TOKENS))
        if not enriched:
            raise BackendError("the checkpoint's language model has nothing to say")
        return enriched


class JsonPoster(Protocol):
    """Posts JSON to a configured URL."""

    async def post_json(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> bytes:
        """The body of a 2xx answer.

        Raises:
            BackendError: there is none.
        """
        ...


class ChatEnhancer:
    """Asks any chat service that speaks the OpenAI form.

    Args:
        url: base URL (``"http://host:11434/v1"``); `/chat/completions` is added.
        model: name of the model there.
        poster: sends requests.
        api_key: sent as a bearer token when given.
        timeout_s: how long a prompt may take.
    """

    def __init__(
        self, url: str, model: str, poster: JsonPoster, api_key: str | None = None, timeout_s: float = 10
    ) -> None:
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._poster = poster
        self._api_key = api_key
        self._timeout_s = timeout_s

    async def enhance(self, prompt: str, *, is_edit: bool) -> str:
        """See `Enhancer.enhance`."""
        messages = [{"role": "system", "content": INSTRUCTIONS[is_edit]}, {"role": "user", "content": prompt}]
        headers = {"Content-Type": "application/json"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        body = json.dumps({"model": self._model, "messages": messages, "stream": False}).encode()
        return _content_of(await self._poster.post_json(self._url, headers, body, self._timeout_s))


async def enhance_or_keep(
    enhancer: Enhancer | None, prompt: str, *, is_edit: bool, timeout_s: float = 15
) -> str | None:
    """The enriched prompt; None when there is no enhancer, it failed, or it had nothing to add."""
    if enhancer is None:
        return None
    try:
        async with asyncio.timeout(timeout_s):
            enriched = await enhancer.enhance(prompt, is_edit=is_edit)
    except (BackendError, TimeoutError) as error:
        _log.warning("the prompt is painted as written, its enhancer failed: %s", error or "too slow")
        return None
    enriched = enriched.strip()[:MAX_CHARS]
    return enriched if enriched and enriched != prompt.strip() else None


def _content_of(answer: bytes) -> str:
    try:
        data = cast(dict[str, Any], json.loads(answer))
        content: object = data["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as exc:
        raise BackendError("the enhancer's answer is not a chat completion") from exc
    words = _whole_characters(content) if isinstance(content, str) else ""
    if not words.strip():
        raise BackendError("the enhancer's answer is empty")
    return words


def _whole_characters(text: str) -> str:
    """Without what no prompt may hold: nulls, and the half of an emoji that is left where a service cuts its text."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()
