"""The condition is what the transformer was trained on: the hidden state before the encoder's final norm."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from overpaint.model.checkpoint import Checkpoint
from overpaint.model.conditioner import Condition, Conditioner, Prompt
from overpaint.model.references import prepare_reference
from tests.reference.cases import RESOLUTION
from tests.reference.measures import max_abs
from tests.reference.pictures import make_picture

_PICTURES = (make_picture(120, 70, seed=1), make_picture(64, 80, "RGBA", seed=2))
_PROMPTS = ("a red apple", "将背景改成绿色 🌿", "", "braces {} and {0}, a tab\tand\n\na newline")
# Hidden states grow to about ten; fp32 rounding of three layers, other shapes of the same products.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def conditioner(plain_checkpoint: Checkpoint) -> Conditioner:
    parts = plain_checkpoint
    return Conditioner(parts.text_encoder, parts.tokenizer, parts.image_processor)


def _lay_out(conditioner: Conditioner, words: str, *, with_pictures: bool) -> tuple[Prompt, list[NDArray[np.float32]]]:
    """A prompt, and the patches of its pictures."""
    references = [prepare_reference(picture, RESOLUTION**2) for picture in _PICTURES if with_pictures]
    return conditioner.lay_out(words, references), [conditioner.prepare(each).patches for each in references]


def _encode(conditioner: Conditioner, words: str, *, with_pictures: bool) -> Condition:
    return conditioner.encode(*_lay_out(conditioner, words, with_pictures=with_pictures))


def _pipeline_condition(pipe: Any, words: str, *, with_pictures: bool) -> tuple[torch.Tensor, list[bool]]:
    """Text rows of diffusers' prompt embedding, and which of its rows are vision slots."""
    images = [prepare_reference(picture, RESOLUTION**2).rgba for picture in _PICTURES] if with_pictures else None
    embeds, _, is_slot = pipe.encode_prompt(words, image=images, device="cpu")
    return embeds[0][~is_slot[0]], is_slot[0].tolist()


@pytest.mark.parametrize("with_pictures", [False, True], ids=["words_only", "with_pictures"])
@pytest.mark.parametrize("words", _PROMPTS, ids=["english", "chinese", "blank", "braces"])
def test_the_condition_is_the_pipelines(
    conditioner: Conditioner, plain_pipeline: Any, words: str, with_pictures: bool
) -> None:
    ours = _encode(conditioner, words, with_pictures=with_pictures)
    theirs, is_slot = _pipeline_condition(plain_pipeline, words, with_pictures=with_pictures)
    assert max_abs(ours.txt, theirs) <= TOLERANCE
    prompt, _ = _lay_out(conditioner, words, with_pictures=with_pictures)
    assert prompt.layout.num_tokens == sum(4 if slot else 1 for slot in is_slot)


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_prompt_read_in_parts_is_the_same_prompt(conditioner: Conditioner, at_once: int) -> None:
    prompt, patches = _lay_out(conditioner, "put them side by side", with_pictures=True)
    whole = conditioner.encode(prompt, patches)
    parts = [conditioner.encode(prompt, patches[:at_once], has_words=False)]
    if at_once < len(patches):
        parts.append(conditioner.encode(prompt, patches[at_once:], parts[0].memories, has_words=False))
    memories = [memory for part in parts for memory in part.memories]
    parts.append(conditioner.encode(prompt, known=memories))
    assert max_abs(torch.cat([part.txt for part in parts]), whole.txt) <= TOLERANCE
    for ours, theirs in zip(memories, whole.memories, strict=True):
        assert max_abs(ours.rows, theirs.rows) <= TOLERANCE


def test_the_condition_is_taken_before_the_final_norm(conditioner: Conditioner, plain_checkpoint: Checkpoint) -> None:
    language_model: Any = plain_checkpoint.text_encoder.model.language_model
    seen: list[torch.Tensor] = []
    handle = language_model.layers[-1].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    condition = _encode(conditioner, "a red apple", with_pictures=False)
    handle.remove()
    before = seen[0][0][-len(condition.txt) :]
    after = language_model.norm(before)
    assert max_abs(condition.txt, before) == 0
    assert max_abs(condition.txt, after) > 1


def test_the_final_norm_works_again_after_conditioning(conditioner: Conditioner, plain_checkpoint: Checkpoint) -> None:
    norm: Any = plain_checkpoint.text_encoder.model.language_model.norm
    _encode(conditioner, "a red apple", with_pictures=False)
    x = torch.randn(2, norm.weight.shape[0])
    assert max_abs(norm(x), x) > 0.1


def test_the_final_norm_works_again_after_a_failure(conditioner: Conditioner, plain_checkpoint: Checkpoint) -> None:
    norm: Any = plain_checkpoint.text_encoder.model.language_model.norm

    def fail(*_: object) -> None:
        raise RuntimeError("device lost")

    handle = plain_checkpoint.text_encoder.model.language_model.layers[0].register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="device lost"):
        _encode(conditioner, "a red apple", with_pictures=False)
    handle.remove()
    assert not norm._forward_hooks


def test_the_encoder_sees_transparent_pictures_on_white_and_the_vae_sees_four_channels() -> None:
    reference = prepare_reference(_PICTURES[1], RESOLUTION**2)
    assert reference.for_encoder().mode == "RGB"
    transparent = reference.rgba.getchannel("A").getpixel((0, reference.rgba.height - 1))
    assert transparent == 0
    assert reference.for_encoder().getpixel((0, reference.rgba.height - 1)) == (255, 255, 255)
    assert reference.for_vae().shape[1] == 4
