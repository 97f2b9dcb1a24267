"""The checkpoint's own encoder as a language model: it answers in words, one token at a time.

Whoever drives it decides what happens between two tokens. Knows no picture, no prefix and no queue.

Source of the turn's form: Qwen3-VL's chat template (text only), transformers 5.23.
"""

from collections.abc import Generator
from copy import deepcopy
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration

from overpaint.core.errors import BackendError
from overpaint.model.attention import without_plans
from overpaint.model.hosting import present

_END_OF_TURN = "<|im_end|>"


class Writer:
    """Writes with the encoder's language head, always the likeliest token.

    Args:
        encoder: Qwen3-VL, on its device.
        tokenizer: the checkpoint's; a copy of it is used.
    """

    def __init__(self, encoder: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> None:
        self._encoder = encoder
        # Reading marks as characters sets a flag of the tokenizer, which others read with at the same time.
        self._tokenizer = deepcopy(tokenizer)

    def write(self, instructions: str, words: str, max_tokens: int) -> Generator[None, None, str]:
        """Answer `words` as told by `instructions`; yields before each token and returns the text.

        Raises:
            BackendError: the checkpoint has no language head of its own. An encoder whose head is tied to its
                embeddings was not trained to write.
        """
        if self._encoder.config.tie_word_embeddings:
            raise BackendError("this checkpoint cannot write prompts: its text encoder has no lm_head of its own")
        token_ids = self._turn("system", instructions) + self._turn("user", words)
        token_ids += self._tokenize("<|im_start|>assistant\n")
        (end,) = self._tokenize(_END_OF_TURN)
        cache = DynamicCache()
        written: list[int] = []
        step = token_ids
        while len(written) < max_tokens:
            yield
            token = self._next(step, len(token_ids) + len(written) - len(step), cache)
            if token in (end, self._tokenizer.eos_token_id):
                break
            written.append(token)
            step = [token]
        return str(self._tokenizer.decode(written, skip_special_tokens=True)).strip()

    @torch.inference_mode()
    def _next(self, token_ids: list[int], start: int, cache: DynamicCache) -> int:
        """The likeliest token after those given; `start` tokens are in the cache."""
        device = self._encoder.device
        positions = torch.arange(start, start + len(token_ids), device=device).expand(3, 1, -1)
        with present(self._encoder.model, self._encoder.lm_head), without_plans(device):
            output: Any = self._encoder(
                input_ids=torch.tensor([token_ids], device=device),
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        return int(output.logits[0, -1].argmax())

    def _turn(self, role: str, text: str) -> list[int]:
        """A turn whose text cannot end it: marks in it are read as the characters they are."""
        inner = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return self._tokenize(f"<|im_start|>{role}\n") + inner + self._tokenize(f"{_END_OF_TURN}\n")

    def _tokenize(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False)
