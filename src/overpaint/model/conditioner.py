"""Words and pictures to the hidden states the transformer is conditioned on, through Qwen3-VL.

Builds the encoder's inputs from the tokenizer and the PIL image processor, so torchvision is not needed. The condition
is the last decoder layer's output *before* the final RMSNorm, without the system turn. Knows nothing of latents.

Source: `_get_qwen_prompt_embeds` of diffusers 0.42.1; `Qwen3VLProcessor` of transformers 5.23.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from overpaint.core import RequestError
from overpaint.model.layout import PrefixLayout, layout_prefix
from overpaint.model.prompt import IMAGE_PAD, SYSTEM_TURN, render_prompt
from overpaint.model.references import Reference


@dataclass(frozen=True, slots=True)
class Condition:
    """What the encoder says about a prompt.

    Args:
        txt: `(text tokens, context channels)`, the vision slots left out: latents take their place.
        layout: where text and pictures stand in the transformer's prefix.
    """

    txt: Tensor
    layout: PrefixLayout


class Conditioner:
    """The encoder with its tokenizer and image processor.

    Args:
        encoder: Qwen3-VL, on its device, in its dtype.
        tokenizer: the checkpoint's.
        image_processor: the checkpoint's, PIL flavour.
        max_prompt_tokens: longest instruction, in tokens.
    """

    def __init__(
        self,
        encoder: Qwen3VLForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: Qwen2VLImageProcessorPil,
        max_prompt_tokens: int,
    ) -> None:
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._image_processor = image_processor
        self._max_prompt_tokens = max_prompt_tokens
        (self._image_pad_id,) = self._tokenize(IMAGE_PAD)
        self._num_system_tokens = len(self._tokenize(SYSTEM_TURN))

    def check_prompt(self, field: str, words: str) -> None:
        """Refuse words that are longer than the checkpoint reads.

        Raises:
            RequestError: naming `field` and both token counts.
        """
        num_tokens = len(self._tokenize(words))
        if num_tokens > self._max_prompt_tokens:
            rule = f"has {num_tokens} tokens; this checkpoint reads at most {self._max_prompt_tokens}"
            raise RequestError(field, words, rule)

    @torch.inference_mode()
    def encode(self, words: str, references: Sequence[Reference]) -> Condition:
        """Read the words and look at the pictures.

        Args:
            words: the instruction.
            references: resized pictures in the order the words count them.

        Raises:
            ValueError: the image processor's grid does not fit the latent grid.
        """
        pictures = self._look_at(references)
        token_ids = self._expand(self._tokenize(render_prompt(words, len(references))), pictures)
        is_slot = [token_id == self._image_pad_id for token_id in token_ids[self._num_system_tokens :]]
        hidden = self._run(token_ids, pictures)[self._num_system_tokens :]
        layout = layout_prefix(is_slot, [reference.grid for reference in references])
        return Condition(hidden[~torch.tensor(is_slot, device=hidden.device)], layout)

    def _tokenize(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _look_at(self, references: Sequence[Reference]) -> dict[str, Tensor]:
        """`pixel_values` `(patches, channels)` and `image_grid_thw` `(pictures, 3)`; empty without pictures."""
        if not references:
            return {}
        images = [reference.for_encoder() for reference in references]
        return dict(self._image_processor(images=images, return_tensors="pt"))

    def _expand(self, token_ids: Sequence[int], pictures: dict[str, Tensor]) -> list[int]:
        """Repeat each image pad once per vision slot of its picture."""
        merge = self._image_processor.merge_size**2
        slots = iter([int(grid.prod()) // merge for grid in pictures.get("image_grid_thw", ())])
        expanded: list[int] = []
        for token_id in token_ids:
            expanded.extend([token_id] * (next(slots, 1) if token_id == self._image_pad_id else 1))
        return expanded

    def _run(self, token_ids: Sequence[int], pictures: dict[str, Tensor]) -> Tensor:
        """Hidden states of all tokens, before the final norm: `(tokens, channels)`."""
        input_ids = torch.tensor([token_ids], device=self._encoder.device)
        inputs = {name: tensor.to(self._encoder.device) for name, tensor in pictures.items()}
        if inputs:
            inputs["mm_token_type_ids"] = (input_ids == self._image_pad_id).int()
        with _without_final_norm(self._encoder):
            # `.model`, not the head: logits over the whole vocabulary are of no use here.
            output = self._encoder.model(
                input_ids=input_ids, attention_mask=torch.ones_like(input_ids), use_cache=False, **inputs
            )
        return output.last_hidden_state[0]


@contextmanager
def _without_final_norm(encoder: Qwen3VLForConditionalGeneration) -> Generator[None]:
    """Hand out the last hidden state as it is before the final RMSNorm, which transformers 5 applies to it."""
    handle = encoder.model.language_model.norm.register_forward_hook(lambda _module, args, _output: args[0])
    try:
        yield
    finally:
        handle.remove()
