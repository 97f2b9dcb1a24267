"""The flags that `generate` and `edit` share, each with its help. Leaves the rules to the request."""

from pathlib import Path
from typing import Annotated, TypeVar

import typer

from overpaint.core.errors import RequestError
from overpaint.core.request import (
    BACKGROUNDS,
    MAX_ADAPTERS,
    MAX_CFG_SCALE,
    MAX_IMAGES,
    MAX_SEED,
    MAX_STEPS,
    OUTPUT_FORMATS,
)
from overpaint.core.sizes import PRESETS

Name = TypeVar("Name", bound=str)


def pick(field: str, text: str, allowed: tuple[Name, ...]) -> Name:
    """The one of `allowed` that `text` is.

    Raises:
        RequestError: it is none of them.
    """
    for known in allowed:
        if text == known:
            return known
    raise RequestError(field, text, f"must be one of {', '.join(allowed)}")


def whole_number(text: str | int) -> int:
    """Read a flag's value; Typer's own reader would not repeat the value in its complaint."""
    try:
        return int(text)
    except ValueError as exc:
        raise typer.BadParameter(f"'{text}' must be a whole number") from exc


def number(text: str | float) -> float:
    """Read a flag's value that may have decimals."""
    try:
        return float(text)
    except ValueError as exc:
        raise typer.BadParameter(f"'{text}' must be a number") from exc


def of_model(
    model: str | None,
    device: str | None,
    dtype: str | None,
    memory: str | None,
    weights: str | None,
    transformer: Path | None,
) -> dict[str, object]:
    """The flags of the checkpoint, by the names of their settings."""
    return {
        "model": model,
        "device": device,
        "dtype": dtype,
        "memory": memory,
        "weights": weights,
        "transformer": transformer,
    }


PAINT = "What to paint"
WRITE = "What to write"
MODEL = "What to paint with"

Prompt = Annotated[str, typer.Argument(help="What to paint or to change, in plain words.", show_default=False)]
Images = Annotated[
    list[Path],
    typer.Option(
        "--image",
        "-i",
        help="A picture to edit (JPEG, PNG, WebP, GIF); - is standard input. Repeat it for several; the prompt counts "
        "them in this order.",
        rich_help_panel=PAINT,
        show_default=False,
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        "--mask",
        help="A picture of the first picture's sides: white is repainted, black stays the same to the byte.",
        rich_help_panel=PAINT,
        show_default=False,
    ),
]
Loras = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="<name or file>[:<scale>]",
        help="A LoRA adapter: a .safetensors file, or a name in the folder OVERPAINT_ADAPTERS; scale 1 is as trained. "
        f"Repeat it for several, at most {MAX_ADAPTERS}.",
        rich_help_panel=PAINT,
        show_default=False,
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        help="File to write; - is standard output. Several pictures become NAME-1, NAME-2, ...",
        rich_help_panel=WRITE,
        show_default=False,
    ),
]
SizeText = Annotated[
    str | None,
    typer.Option(
        "--size",
        help=f"WIDTHxHEIGHT in pixels, or a shape: {', '.join(PRESETS)}. "
        "Without it: the shape of the last picture, else square.",
        rich_help_panel=PAINT,
        show_default=False,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        parser=whole_number,
        metavar="<int>",
        help=f"0 to {MAX_SEED}; the same seed paints the same picture. -1 draws a fresh one.",
        rich_help_panel=PAINT,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps",
        parser=whole_number,
        metavar="<int>",
        help=f"Denoising steps, 1 to {MAX_STEPS}. Without it: what the checkpoint is made for.",
        rich_help_panel=PAINT,
        show_default=False,
    ),
]
NegativePrompt = Annotated[
    str | None,
    typer.Option(
        "--negative-prompt",
        help="What to steer away from; takes effect with --true-cfg-scale above 1.",
        rich_help_panel=PAINT,
        show_default=False,
    ),
]
CfgScale = Annotated[
    float,
    typer.Option(
        "--true-cfg-scale",
        parser=number,
        metavar="<float>",
        help=f"How strongly to steer away from the negative prompt, 1 (not at all) to {MAX_CFG_SCALE:g}. "
        "Above 1 it doubles the work.",
        rich_help_panel=PAINT,
    ),
]
NumImages = Annotated[
    int,
    typer.Option(
        "--num-images",
        "-n",
        parser=whole_number,
        metavar="<int>",
        help=f"Pictures to paint, 1 to {MAX_IMAGES}.",
        rich_help_panel=PAINT,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help=f"{', '.join(OUTPUT_FORMATS)}. Without it: as the output's name ends.",
        rich_help_panel=WRITE,
        show_default=False,
    ),
]
Quality = Annotated[
    int,
    typer.Option(
        "--quality",
        parser=whole_number,
        metavar="<int>",
        help="1 to 100, for jpeg and webp (100 is lossless webp).",
        rich_help_panel=WRITE,
    ),
]
BackgroundName = Annotated[
    str,
    typer.Option(
        "--background",
        help=f"{', '.join(BACKGROUNDS)}. auto keeps transparency where there is any.",
        rich_help_panel=WRITE,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Folder or hub id of a Qwen-Image-2.1 checkpoint. null: paints flat colours, for a dry run. "
        "Without it: OVERPAINT_MODEL, else the bundled checkpoint.",
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="auto, cuda, cuda:N, mps or cpu. Without it: OVERPAINT_DEVICE, else auto.",
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        help="auto, bfloat16, float16 or float32. Without it: OVERPAINT_DTYPE, else auto.",
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        help="auto, resident or offload. offload keeps the encoder and the VAE in the host's memory between uses, and "
        "as many of the transformer's blocks as must be; auto does so where not everything fits. "
        "Without it: OVERPAINT_MEMORY, else auto.",
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="bf16, fp8, int8 or int4: how the matrices of the transformer are held. bf16 leaves them as they are; "
        'fewer bits need the extra "quantised". Without it: OVERPAINT_WEIGHTS, else bf16.',
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Transformer = Annotated[
    Path | None,
    typer.Option(
        "--transformer",
        help="A GGUF file with the transformer's weights, in the place of the checkpoint's own; needs "
        'the extra "quantised". Without it: OVERPAINT_TRANSFORMER, else none.',
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Let the libraries below log and warn.")]
