"""A small byte-level tokenizer with Qwen's special tokens and system turn. Any UTF-8 text tokenizes."""

import json
from typing import Any

from tokenizers import pre_tokenizers
from tokenizers.trainers import BpeTrainer

from tests.reference.library import Qwen2Tokenizer

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.content is string %}{{- message.content }}"
    "{%- else %}{%- for part in message.content %}{%- if 'text' in part %}{{- part.text }}{%- endif %}{%- endfor %}"
    "{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
_CORPUS = (
    "system\nComprehend and analyze the provided prompt.\nuser\nassistant\n",
    "a red apple on a wooden table, soft light, the cat sleeps beside a blue cup",
    "replace the background with a green hill; remove the hat; add a small dog to the left",
    "blurry, low quality, watermark",
)


def build_tokenizer(num_merges: int = 120) -> Any:
    """Byte-level BPE: 256 bytes, `num_merges` merges learnt from a few sentences, then the special tokens."""
    blank = Qwen2Tokenizer(vocab={}, merges=[])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = BpeTrainer(vocab_size=len(alphabet) + num_merges, initial_alphabet=alphabet, show_progress=False)
    learner = blank.backend_tokenizer
    learner.train_from_iterator(_CORPUS, trainer)
    vocab, merges = _learnt(learner.to_str())
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=merges, chat_template=CHAT_TEMPLATE, model_max_length=4096)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    return tokenizer


def _learnt(serialised: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = json.loads(serialised)["model"]
    vocab = {token: index for token, index in model["vocab"].items() if token not in SPECIAL_TOKENS}
    ordered = {token: index for index, token in enumerate(sorted(vocab, key=vocab.__getitem__))}
    return ordered, [tuple(pair) for pair in model["merges"]]
