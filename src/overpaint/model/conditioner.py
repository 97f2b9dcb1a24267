"""Words and pictures to the hidden states the transformer is conditioned on, through Qwen3-VL.

Builds the encoder's inputs from the tokenizer and the PIL image processor, so torchvision is not needed. The condition
is the last decoder layer's output *before* the final RMSNorm, without the system turn. A prompt is read in as many
parts as one likes, each going on from the encoder's own keys and values; pictures read before need not be read again.
Knows nothing of latents.

Source: `_get_qwen_prompt_embeds` of diffusers 0.42.1; `Qwen3VLProcessor` of transformers 5.23.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache, PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from overpaint.model.attention import without_plans
from overpaint.model.device import move
from overpaint.model.hosting import present
from overpaint.model.layout import PrefixLayout, layout_prefix
from overpaint.model.params import encoder_kv_values
from overpaint.model.prompt import IMAGE_PAD, SYSTEM_TURN, render_prompt
from overpaint.model.references import ReadyReference, Reference


@dataclass(frozen=True, slots=True)
class EncoderMemory:
    """What the encoder keeps of a picture and the words before it, to read another prompt that begins alike.

    Args:
        rows: keys and values of each layer, `(layers, 2, kv heads, tokens, channels)`.
    """

    rows: Tensor

    @property
    def num_bytes(self) -> int:
        """Bytes held."""
        return self.rows.nbytes

    @property
    def num_tokens(self) -> int:
        """The encoder's tokens."""
        return self.rows.shape[3]

    def moved(self, device: torch.device) -> "EncoderMemory":
        """The same on another device."""
        return EncoderMemory(move(self.rows, device))


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """Words and pictures as the encoder's tokens.

    Args:
        token_ids: of the whole prompt, the system turn and every vision slot included.
        is_slot: which of them stand for a picture.
        grids: the encoder's, `(pictures, 3)`: frames, rows and columns of patches.
        layout: where text and pictures stand in the transformer's prefix.
    """

    token_ids: tuple[int, ...]
    is_slot: tuple[bool, ...]
    grids: Tensor
    layout: PrefixLayout

    @property
    def block_ends(self) -> tuple[int, ...]:
        """One past the last token of each picture, and of the words behind the last one."""
        after = pairwise([*self.is_slot, False])
        return (*(index for index, (here, next_) in enumerate(after, 1) if here and not next_), len(self.token_ids))


@dataclass(frozen=True, slots=True)
class Condition:
    """What the encoder says about a prompt, or a part of it.

    Args:
        txt: `(text tokens, context channels)` of the part, the vision slots left out: latents take their place.
        memories: one for each of its pictures, to go on from.
    """

    txt: Tensor
    memories: tuple[EncoderMemory, ...]


class Conditioner:
    """The encoder with its tokenizer and image processor.

    Args:
        encoder: Qwen3-VL, on its device, in its dtype.
        tokenizer: the checkpoint's.
        image_processor: the checkpoint's, PIL flavour.
    """

    def __init__(
        self,
        encoder: Qwen3VLForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        image_processor: Qwen2VLImageProcessorPil,
    ) -> None:
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._image_processor = image_processor
        (self._image_pad_id,) = self._tokenize(IMAGE_PAD)
        self._num_system_tokens = len(self._tokenize(SYSTEM_TURN))

    @property
    def bytes_per_token(self) -> int:
        """Bytes of an `EncoderMemory` for each of its tokens."""
        config: Any = self._encoder.config.text_config
        return encoder_kv_values(config.to_dict()) * self._encoder.dtype.itemsize

    def count_tokens(self, words: str) -> int:
        """Length of a text in the encoder's tokens; from any thread."""
        return len(self._tokenize(words))

    def prepare(self, reference: Reference) -> ReadyReference:
        """Do what reading a picture takes before the device has anything to do; from any thread.

        Raises:
            ValueError: the image processor's grid does not fit the latent grid.
        """
        return ReadyReference(self._look_at(reference), reference.samples())

    def lay_out(self, words: str, references: Sequence[Reference]) -> Prompt:
        """The prompt that `encode` reads: an instruction on resized pictures, in the order it counts them."""
        grids = self._grids(references)
        token_ids = self._expand(self._tokenize(render_prompt(words, len(references))), grids)
        is_slot = [token_id == self._image_pad_id for token_id in token_ids]
        layout = layout_prefix(is_slot[self._num_system_tokens :], [reference.grid for reference in references])
        return Prompt(tuple(token_ids), tuple(is_slot), grids, layout)

    @torch.inference_mode()
    def encode(
        self,
        prompt: Prompt,
        patches: Sequence[NDArray[np.float32]] = (),
        known: Sequence[EncoderMemory] = (),
        *,
        has_words: bool = True,
    ) -> Condition:
        """Look at some pictures, and read the words in front of them and, if wanted, behind the last one.

        Args:
            prompt: laid out.
            patches: of the pictures, as `prepare` has made them.
            known: memories of the pictures before those, of this or another prompt that begins with the same ones.
            has_words: whether the prompt is read to its end; no picture may be left then.
        """
        first, last = len(known), len(known) + len(patches) + has_words
        ends = (0, *prompt.block_ends)
        start, stop = ends[first], ends[last]
        pictures = self._pictures(patches, prompt.grids[first : first + len(patches)])
        hidden, layers = self._run(prompt, pictures, known, slice(start, stop))
        said = max(start, self._num_system_tokens)
        is_text = ~torch.tensor(prompt.is_slot[said:stop], device=hidden.device)
        memories = tuple(_remember(layers, *span) for span in pairwise(ends[first : first + len(patches) + 1]))
        return Condition(hidden[said - start :][is_text], memories)

    def _tokenize(self, text: str) -> list[int]:
        # Always with the same options: another one would set a flag of the tokenizer under other threads' feet.
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _grids(self, references: Sequence[Reference]) -> Tensor:
        """The encoder's grids, `(pictures, 3)`: frames, rows and columns of patches."""
        patch = self._image_processor.patch_size
        sizes = [(1, reference.size.height // patch, reference.size.width // patch) for reference in references]
        return torch.tensor(sizes, dtype=torch.long).reshape(-1, 3)

    def _look_at(self, reference: Reference) -> NDArray[np.float32]:
        """`(patches, channels)` of a picture."""
        inputs = self._image_processor(images=[reference.for_encoder()], return_tensors="np")
        if inputs["image_grid_thw"].tolist() != self._grids([reference]).tolist():
            raise ValueError(f"the image processor resized a reference to {inputs['image_grid_thw'].tolist()}")
        return inputs["pixel_values"]

    def _pictures(self, patches: Sequence[NDArray[np.float32]], grids: Tensor) -> dict[str, Tensor]:
        """`pixel_values` `(patches, channels)` and `image_grid_thw` `(pictures, 3)`; empty without pictures."""
        if not patches:
            return {}
        device = self._encoder.device
        pixel_values = torch.cat([torch.from_numpy(one).to(device) for one in patches])
        return {"pixel_values": pixel_values, "image_grid_thw": grids.to(device)}

    def _expand(self, token_ids: Sequence[int], grids: Tensor) -> list[int]:
        """Repeat each image pad once per vision slot of its picture."""
        merge = self._image_processor.merge_size**2
        slots = iter((grids.prod(dim=1) // merge).tolist())
        expanded: list[int] = []
        for token_id in token_ids:
            expanded.extend([token_id] * (next(slots) if token_id == self._image_pad_id else 1))
        return expanded

    def _run(
        self, prompt: Prompt, pictures: dict[str, Tensor], known: Sequence[EncoderMemory], part: slice
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Hidden states of a part of the tokens, before the final norm, and keys and values of all up to its end."""
        model = self._encoder.model
        device = self._encoder.device
        input_ids = torch.tensor([prompt.token_ids], device=device)
        cache = DynamicCache()
        if known:
            for layer, (key, value) in enumerate(torch.cat([memory.rows for memory in known], dim=3)):
                cache.update(key[None], value[None], layer)
        with present(model), _without_final_norm(self._encoder), without_plans(device):
            # `.model`, not the head: logits over the whole vocabulary are of no use here.
            output = model(
                input_ids=input_ids[:, part],
                position_ids=self._positions(input_ids, prompt.grids)[..., part],
                past_key_values=cache,
                use_cache=True,
                **pictures,
            )
        layers: list[Any] = cache.layers
        return output.last_hidden_state[0], [(layer.keys, layer.values) for layer in layers]

    def _positions(self, input_ids: Tensor, grids: Tensor) -> Tensor:
        """Rotary positions of all tokens, `(3, 1, tokens)`: text alone counts up, pictures lie on their grids."""
        if not len(grids):
            return torch.arange(input_ids.shape[1], device=input_ids.device).expand(3, 1, -1)
        kinds = (input_ids == self._image_pad_id).int()
        model: Any = self._encoder.model  # its signature asks for tensor classes of old
        positions, _ = model.get_rope_index(
            input_ids, mm_token_type_ids=kinds, image_grid_thw=grids.to(input_ids.device)
        )
        return positions


def _remember(layers: Sequence[tuple[Tensor, Tensor]], start: int, end: int) -> EncoderMemory:
    """Keep the keys and values `(1, kv heads, tokens, channels)` of tokens `[start, end)`."""
    pieces = [piece[0, :, start:end] for pair in layers for piece in pair]
    return EncoderMemory(torch.stack(pieces).unflatten(0, (-1, 2)))


@contextmanager
def _without_final_norm(encoder: Qwen3VLForConditionalGeneration) -> Generator[None]:
    """Hand out the last hidden state as it is before the final RMSNorm, which transformers 5 applies to it."""
    handle = encoder.model.language_model.norm.register_forward_hook(lambda _module, args, _output: args[0])
    try:
        yield
    finally:
        handle.remove()
