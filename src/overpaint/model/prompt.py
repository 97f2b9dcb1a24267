"""The prompt as the checkpoint expects it: a raw template, never `apply_chat_template`.

Knows only strings. The pictures come before the words, so requests that share pictures share the longest prefix.

Source: `prompt_template_t2i`, `prompt_template_ti2i` of diffusers 0.42.1 pipeline_qwenimage21.py.
"""

SYSTEM_TURN = "<|im_start|>system\nComprehend and analyze the provided prompt.<|im_end|>\n"
IMAGE_PAD = "<|image_pad|>"
PICTURE_MARKS = (IMAGE_PAD, "<|video_pad|>")
"""What must not stand in the words: the encoder would look for pictures that are not there."""

_VISION_SLOT = f"<|vision_start|>{IMAGE_PAD}<|vision_end|>"


def render_prompt(words: str, num_pictures: int) -> str:
    """The whole text, system turn included; each picture is one `IMAGE_PAD`, still to be expanded.

    Args:
        words: the instruction; blank stands for "nothing said", the unconditional branch.
        num_pictures: reference pictures, named `<image1>`, `<image2>`, ... in order.
    """
    pictures = " ".join(f"<image{index}>{_VISION_SLOT}" for index in range(1, num_pictures + 1))
    return f"{SYSTEM_TURN}<|im_start|>user\n{pictures}{words or ' '}<|im_end|>\n<|im_start|>assistant\n"


def ask_for_transparency(words: str) -> str:
    """Wrap a description the way the model was taught to answer with an alpha channel."""
    return (
        f"This is an RGBA image with transparency. {words.rstrip('.')}. "
        "The image has alpha channel and the background is transparent."
    )
