"""Diffusers' own pipeline, driven by our request type."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from overpaint.core.picture import Picture
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size, fit_area
from tests.reference.library import (
    AutoencoderKLQwenImage21,
    FlowMatchEulerDiscreteScheduler,
    Qwen3VLForConditionalGeneration,
    QwenImage21Pipeline,
    QwenImage21Transformer2DModel,
)
from tests.reference.processor import StandInProcessor


@dataclass(frozen=True, slots=True)
class Reference:
    """What diffusers paints for a request.

    Args:
        latents: per image, `(tokens, channels)` after the last step, float32.
        pixels: per image, `(height, width, 4)` uint8.
    """

    latents: list[torch.Tensor]
    pixels: list[np.ndarray]


def reference_pipeline(folder: Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Any:
    """Assemble `QwenImage21Pipeline` from a checkpoint folder, with the stand-in processor."""
    place: dict[str, Any] = {"dtype": dtype}
    index = QwenImage21Pipeline.load_config(folder)
    pipe = QwenImage21Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
        vae=AutoencoderKLQwenImage21.from_pretrained(folder / "vae", **place),
        text_encoder=Qwen3VLForConditionalGeneration.from_pretrained(folder / "text_encoder", **place),
        processor=StandInProcessor.from_folder(folder / "processor"),
        transformer=QwenImage21Transformer2DModel.from_pretrained(folder / "transformer", **place),
        sample_sigmas=index.get("sample_sigmas"),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def run_reference(
    pipe: Any, request: GenerationRequest, *, output_resolution: int, use_kv_cache: bool = True
) -> Reference:
    """Paint `request` with diffusers, one CPU generator per image seeded `seed + i`."""
    last: dict[str, torch.Tensor] = {}

    def keep(_pipe: object, _step: int, _time: object, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        last.update(tensors)
        return {}

    pixels = pipe(
        prompt=request.prompt,
        image=[as_image(picture) for picture in request.pictures] or None,
        negative_prompt=request.negative_prompt,
        true_cfg_scale=request.true_cfg_scale,
        num_images_per_prompt=request.num_images,
        generator=[torch.Generator().manual_seed(request.seed_of(i)) for i in range(request.num_images)],
        output_type="np",
        callback_on_step_end=keep,
        output_resolution=output_resolution,
        use_kv_cache=use_kv_cache,
        **_sides(request.size, output_resolution),
        **({} if request.steps is None else {"num_inference_steps": request.steps}),
    ).images
    return Reference(list(last["latents"].float().cpu()), [_to_bytes(image) for image in pixels])


def as_image(picture: Picture) -> Image.Image:
    """The same samples as a PIL image."""
    return Image.frombytes(picture.mode, (picture.width, picture.height), picture.data)


def _sides(size: Size | float | None, output_resolution: int) -> dict[str, int]:
    if size is None:
        return {}
    exact = size if isinstance(size, Size) else fit_area(output_resolution**2, size)
    return {"width": exact.width, "height": exact.height}


def _to_bytes(image: np.ndarray) -> np.ndarray:
    """Rounds as diffusers does for its PIL output."""
    return (image * 255).round().astype(np.uint8)
