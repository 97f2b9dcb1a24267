"""The tokenizer: a small byte-level BPE with Qwen's special tokens, and the prompt template.

Any UTF-8 text can be written, bytes being the fallback; a hanzi, a capital and a digit are tokens of
their own. Knows nothing of pictures or models.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from recipes.mini.tasks import training_tasks
from recipes.mini.world import FULL

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
TEMPLATE = SYSTEM + "<|im_start|>user\n{}{}<|im_end|>\n<|im_start|>assistant\n"
PICTURE = "<image{}><|vision_start|>{}<|vision_end|>"
ALONE = Regex("[\\u3000-\\u9fff\\uff00-\\uffefA-Z0-9]")
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


def train_tokenizer(size: int = 2048, prompts: int = 20_000) -> Tokenizer:
    """Learn merges from the prompts of the tasks; the vocabulary may end up smaller than `size`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(ALONE, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tasks = itertools.islice(training_tasks(FULL, seed=0), prompts)
    frame = [TEMPLATE.format("", ""), "<image1> <image2> <image3> <image4> grey centre"] * 50
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
    """Prompt text -> token ids of the whole conversation. `grid` latent tokens a side make `grid`² / 4 slots."""

    def __init__(self, tokenizer: Tokenizer, grid: int) -> None:
        self.tokenizer = tokenizer
        self.pads = "<|image_pad|>" * (grid // 2) ** 2
        self.slots = (grid // 2) ** 2
        self.drop = len(tokenizer.encode(SYSTEM).ids)
        self.image_pad = tokenizer.token_to_id("<|image_pad|>")
        self._turns = {count: self._turn(count) for count in range(4)}

    def _turn(self, pictures: int) -> str:
        return " ".join(PICTURE.format(number, self.pads) for number in range(1, pictures + 1))

    def encode(self, prompt: str, pictures: int) -> list[int]:
        """Ids including the system turn, the first `drop` of which are not the condition."""
        return self.tokenizer.encode(TEMPLATE.format(self._turns[pictures], prompt)).ids

    def starts(self, ids: list[int]) -> tuple[int, ...]:
        """Where the slots of each picture begin."""
        return tuple(index for index, token in enumerate(ids) if token == self.image_pad)[:: self.slots]


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """The ids a model configuration has to name."""
    return {name: tokenizer.token_to_id(name) for name in SPECIAL}


if __name__ == "__main__":
    trained = train_tokenizer()
    print(json.dumps({"vocabulary": trained.get_vocab_size(), **special_ids(trained)}))
