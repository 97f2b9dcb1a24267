"""The tokenizer: a small byte-level BPE with Qwen's special tokens, and the two prompt templates.

Any UTF-8 text can be written, bytes being the fallback. Knows nothing of pictures or models.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from recipes.mini.tasks import training_tasks

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
SYSTEM = "<|im_start|>system\nComprehend and analyze the provided prompt.<|im_end|>\n"
TEXT_TEMPLATE = SYSTEM + "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
SLOTS = "<|vision_start|>{}<|vision_end|>"
EDIT_TEMPLATE = SYSTEM + "<|im_start|>user\n<image1>" + SLOTS + "{}<|im_end|>\n<|im_start|>assistant\n"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message.role + '\\n' -}}"
    "{%- if message.content is string -%}{{- message.content -}}{%- else -%}"
    "{%- for part in message.content -%}"
    "{%- if part.type == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}"
    "{%- elif part.type == 'text' -%}{{- part.text -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


def train_tokenizer(size: int = 1024, prompts: int = 20_000) -> Tokenizer:
    """Learn merges from the prompts of the tasks; the vocabulary may end up smaller than `size`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tasks = itertools.islice(training_tasks(seed=0), prompts)
    frame = [TEXT_TEMPLATE.format(""), "<image1> <image2> <image3> grey centre"] * 50
    tokenizer.train_from_iterator(itertools.chain(frame, (t.prompt for t in tasks)), trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the tokenizer's files as transformers expects them in `processor/`."""
    folder.mkdir(parents=True, exist_ok=True)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL[1:]),
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    wrapped.save_pretrained(str(folder))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)


class Prompts:
    """Prompt text -> token ids of the whole conversation, remembered."""

    def __init__(self, tokenizer: Tokenizer, slots: int) -> None:
        self.tokenizer = tokenizer
        self.pads = "<|image_pad|>" * slots
        self.drop = len(tokenizer.encode(SYSTEM).ids)
        self.image_pad = tokenizer.token_to_id("<|image_pad|>")
        self._seen: dict[tuple[str, bool], list[int]] = {}

    def encode(self, prompt: str, with_picture: bool) -> list[int]:
        """Ids including the system turn, the first `drop` of which are not the condition."""
        key = (prompt, with_picture)
        if key not in self._seen:
            text = EDIT_TEMPLATE.format(self.pads, prompt) if with_picture else TEXT_TEMPLATE.format(prompt)
            self._seen[key] = self.tokenizer.encode(text).ids
        return self._seen[key]


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """The ids a model configuration has to name."""
    return {name: tokenizer.token_to_id(name) for name in SPECIAL}


if __name__ == "__main__":
    trained = train_tokenizer()
    print(json.dumps({"vocabulary": trained.get_vocab_size(), **special_ids(trained)}))
