"""Richer prompts, and that none is ever lost to a failing enhancer."""

import asyncio
import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from overpaint.core.errors import BackendError
from overpaint.engine.null import NullEngine
from overpaint.service.enhance import ChatEnhancer, Enhancer, ModelEnhancer, RuleEnhancer, enhance_or_keep

pytestmark = pytest.mark.anyio


class FakeChat:
    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.sent: list[tuple[str, Mapping[str, str], bytes]] = []

    async def post_json(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> bytes:
        assert timeout_s > 0
        self.sent.append((url, headers, body))
        return self.answer


def completion(text: object) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


async def test_rules_add_to_short_prompts_only() -> None:
    rules = RuleEnhancer()
    assert (await rules.enhance("a red apple.", is_edit=False)).startswith("a red apple, ")
    assert "unchanged" in await rules.enhance("make it blue", is_edit=True)
    assert (await rules.enhance("一个苹果。", is_edit=False)).startswith("一个苹果，")
    finished = " ".join(["word"] * 40)
    assert await rules.enhance(finished, is_edit=False) == finished


async def test_a_chat_service_is_asked_in_its_form() -> None:
    chat = FakeChat(completion(" A vivid cat. "))
    enhancer = ChatEnhancer("http://lan:1234/v1/", "qwen3", chat, api_key="k")
    assert await enhance_or_keep(enhancer, "a cat", is_edit=False) == "A vivid cat."
    [(url, headers, body)] = chat.sent
    assert url == "http://lan:1234/v1/chat/completions"
    assert headers["Authorization"] == "Bearer k"
    sent = json.loads(body)
    assert sent["model"] == "qwen3"
    assert sent["messages"][1] == {"role": "user", "content": "a cat"}


async def test_half_a_character_in_an_answer_is_left_out_for_no_model_can_read_it() -> None:
    enhancer = ChatEnhancer("http://lan/v1", "m", FakeChat(completion("A vivid\0 cat 🐈 \ud83d")))
    assert await enhance_or_keep(enhancer, "a cat", is_edit=False) == "A vivid cat 🐈"


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{}", b"[" * 100_000, *map(completion, (None, "  ", ["x"], "\ud83d"))],
)
async def test_an_answer_that_is_none_leaves_the_prompt_as_it_was(answer: bytes) -> None:
    enhancer = ChatEnhancer("http://lan/v1", "m", FakeChat(answer))
    with pytest.raises(BackendError):
        await enhancer.enhance("a cat", is_edit=False)
    assert await enhance_or_keep(enhancer, "a cat", is_edit=False) is None


class Slow:
    async def enhance(self, prompt: str, *, is_edit: bool) -> str:
        await asyncio.sleep(10)
        return prompt + str(is_edit)


class Echo:
    async def enhance(self, prompt: str, *, is_edit: bool) -> str:
        del is_edit
        return prompt


@pytest.mark.parametrize("enhancer", [Slow(), Echo(), None])
async def test_too_slow_nothing_new_and_nobody_leave_it_as_it_was(enhancer: Enhancer | None) -> None:
    assert await enhance_or_keep(enhancer, "a cat", is_edit=False, timeout_s=0.05) is None


class Speechless(NullEngine):
    def write(self, instructions: str, words: str, max_tokens: int) -> str:  # noqa: ARG002
        raise BackendError("no lm_head")


async def test_the_engines_own_model_is_asked_and_may_have_no_words() -> None:
    assert await enhance_or_keep(ModelEnhancer(NullEngine()), "a cat", is_edit=False) == "a cat, in one flat colour"
    assert await enhance_or_keep(ModelEnhancer(Speechless()), "a cat", is_edit=False) is None


class Stuck(NullEngine):
    """Answers when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def write(self, instructions: str, words: str, max_tokens: int) -> str:
        self.gate.wait(30)
        return super().write(instructions, words, max_tokens)


async def test_a_model_that_hangs_keeps_no_thread_that_files_need() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    engine = Stuck()
    assert await enhance_or_keep(ModelEnhancer(engine), "a cat", is_edit=False, timeout_s=0.05) is None
    try:
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(len, b"a file") == 6
    finally:
        engine.gate.set()
