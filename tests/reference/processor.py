"""A stand-in for transformers' Qwen3VLProcessor that needs no torchvision.

Does what the real one does for text and pictures (transformers 5.23, models/qwen3_vl/processing_qwen3_vl.py): pictures
go through the PIL image processor, every `<|image_pad|>` becomes one token per merged patch, prompts are padded on the
left. Knows nothing of videos.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from tests.reference.library import AutoTokenizer, BatchFeature, Qwen2VLImageProcessorPil

IMAGE_TOKEN = "<|image_pad|>"


class StandInProcessor:
    """Tokenizer and PIL image processor behind the calls that the diffusers pipeline makes."""

    def __init__(self, tokenizer: Any, image_processor: Any) -> None:
        self.tokenizer = tokenizer
        self.image_processor = image_processor

    @classmethod
    def from_folder(cls, folder: Path) -> "StandInProcessor":
        """Read `tokenizer.json`, the chat template and `preprocessor_config.json` of a checkpoint's `processor/`."""
        return cls(AutoTokenizer.from_pretrained(folder), Qwen2VLImageProcessorPil.from_pretrained(folder))

    def apply_chat_template(self, messages: list[dict[str, Any]], **kwargs: Any) -> list[list[int]]:
        """Token ids of one conversation, batched as the real processor batches them."""
        return [self.tokenizer.apply_chat_template(messages, **kwargs)]

    def __call__(
        self,
        text: Sequence[str],
        images: Sequence[Image.Image] | None = None,
        padding: bool = True,
        padding_side: str = "left",
        return_tensors: str = "pt",
    ) -> Any:
        """Encode prompts, and the pictures in the order in which the prompts hold their slots."""
        vision = self._pictures(images)
        slots = iter(self._slot_lengths(vision))
        prompts = [_expand(prompt, slots) for prompt in text]
        fields = self.tokenizer(prompts, padding=padding, padding_side=padding_side, return_tensors=return_tensors)
        image_id = self.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
        kinds = (fields["input_ids"] == image_id).to(torch.int64)
        return BatchFeature({**fields, **vision, "mm_token_type_ids": kinds})

    def _pictures(self, images: Sequence[Image.Image] | None) -> dict[str, torch.Tensor]:
        return dict(self.image_processor(images=list(images), return_tensors="pt")) if images else {}

    def _slot_lengths(self, vision: dict[str, torch.Tensor]) -> list[int]:
        merge = self.image_processor.merge_size**2
        return [int(grid.prod()) // merge for grid in vision.get("image_grid_thw", [])]


def _expand(prompt: str, slot_lengths: Iterator[int]) -> str:
    return re.sub(re.escape(IMAGE_TOKEN), lambda _: IMAGE_TOKEN * next(slot_lengths), prompt)
